"""The standard streams: there where they were closed, as wide as they are, and able to take any letter."""

from __future__ import annotations

import codecs
import io
import os
import sys
from contextlib import suppress

from edgekit.tui.substitutes import substitute

_ERRORS = "edgekit.nearest"


def open_streams() -> None:
    """Open what was closed when edgekit started, and let what has few letters take the nearest of those."""
    # Python has None for a closed stream; the next file opened would take its place and our output.
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))
    for name in ("COLUMNS", "LINES"):
        # What starts programs before it has a size says 0, and nothing would fit into that.
        if os.environ.get(name) == "0":
            del os.environ[name]
    codecs.register_error(_ERRORS, _nearest)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not has_every_letter(stream.encoding):
            stream.reconfigure(errors=_ERRORS)
    if isinstance(sys.stdin, io.TextIOWrapper):
        # Who writes more than ASCII where that is all there is writes UTF-8; other bytes stay, in names of files.
        ascii_only = codecs.lookup(sys.stdin.encoding).name == "ascii"
        # A program that has read from it, and then calls edgekit, goes on as it began.
        with suppress(io.UnsupportedOperation):
            sys.stdin.reconfigure(encoding="utf-8" if ascii_only else None, errors="surrogateescape")


def has_every_letter(encoding: str) -> bool:
    """Return whether an encoding is one of Unicode's own."""
    return encoding.lower().startswith("utf")


def _nearest(problem: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(problem, UnicodeEncodeError):
        raise problem
    letter, after = problem.object[problem.start], problem.start + 1
    if "\udc80" <= letter <= "\udcff":
        # A byte of a file's name that was no letter when Python read it.
        return bytes([ord(letter) - 0xDC00]), after
    return substitute(letter, lambda like: _has(problem.encoding, like)), after


def _has(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
        return True
    except UnicodeError:
        return False
