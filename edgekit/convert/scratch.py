"""A folder for files that are needed only for a while, on the disk where there is room for them."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edgekit.errors import FileError

_PREFIX = ".edgekit-scratch-"


@contextmanager
def scratch_folder(beside: Path) -> Iterator[Path]:
    """Make a hidden folder below `beside` that is gone afterwards; those that killed processes left go first."""
    _remove_leftovers(beside)
    folder = beside / f"{_PREFIX}{os.getpid()}"
    try:
        folder.mkdir()
        # Held until the process ends, however it does: tells a folder in use from a leftover.
        lock = os.open(folder, os.O_RDONLY)
    except OSError as problem:
        raise FileError(f"{folder} cannot be made: {problem.strerror}") from problem
    try:
        _take(lock)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _remove_leftovers(beside: Path) -> None:
    for folder in beside.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            lock = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                if _take(lock):
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


def _take(lock: int) -> bool:
    """Lock a folder; False where another process has it, or a network file system knows no locks on folders."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
