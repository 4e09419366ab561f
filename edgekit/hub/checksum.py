"""The checksums that the Hub names contents by."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

_CHUNK = 4 << 20


class Digest(Protocol):
    """A checksum that grows with what it is fed."""

    def update(self, data: bytes, /) -> None:
        """Take more in."""

    def hexdigest(self) -> str:
        """Return the checksum of everything so far."""


def new_digest(checksum: str, size: int) -> Digest:
    """Return an empty digest of the kind that `checksum` is: SHA-256, or git's SHA-1, which begins with the size."""
    if len(checksum) == 64:
        return hashlib.sha256()
    return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)


def feed(path: Path, digest: Digest, report: Callable[[int], None]) -> None:
    """Feed a file to a digest; `report` hears how many bytes of it were read."""
    done = 0
    with path.open("rb") as file:
        while data := file.read(_CHUNK):
            digest.update(data)
            done += len(data)
            report(done)
