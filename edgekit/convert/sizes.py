"""Sizes in bytes as people write and read them."""

from __future__ import annotations

import re

from edgekit.errors import UnsupportedError

_MIB = 1 << 20
_GIB = 1 << 30
_WRITTEN = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT]?)(I?)B?", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Return the bytes of 500M, 2G or 2GiB; a plain letter counts in thousands, as llama.cpp's does.

    Raises UnsupportedError where it is no size.
    """
    found = _WRITTEN.fullmatch(text.strip())
    if not found or (found[3] and not found[2]):
        raise UnsupportedError(f"{text!r} is no size: write it as 500M, 2G or 1.5GiB")
    power = " KMGT".index(found[2].upper() or " ")
    bytes = int(float(found[1]) * (1024 if found[3] else 1000) ** power)
    if not bytes:
        raise UnsupportedError(f"{text!r} is no room at all: write it as 500M, 2G or 1.5GiB")
    return bytes


def size(count: float) -> str:
    """Return a byte count as people read it: MiB below one GiB, GiB above."""
    return f"{count / _GIB:.2f} GiB" if count >= _GIB else f"{count / _MIB:.1f} MiB"
