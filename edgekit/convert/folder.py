"""The folder that a conversion writes into."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from edgekit.convert.unbroken import unbroken
from edgekit.convert.whole_file import remove_own
from edgekit.errors import FileError


class _BusyError(FileError):
    """Another conversion writes into a folder."""


def named(folder: Path) -> Path:
    """Return a path whose last part is the folder's name: `.` has none."""
    return folder.resolve() if folder.name in ("", "..") else folder


@contextmanager
def output_folder(folder: Path) -> Iterator[None]:
    """Make a folder and keep other conversions out; after an error its unfinished files and new folders are gone."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    lock = None
    try:
        with unbroken():
            _make(folder)
            lock = _lock(folder)
        yield
    except _BusyError:
        raise
    except BaseException:
        with unbroken():
            remove_own(folder)
            for path in missing:
                with suppress(OSError):
                    path.rmdir()
        raise
    finally:
        if lock is not None:
            os.close(lock)


def check_apart(folder: Path, sources: Sequence[Path]) -> None:
    """Raise FileError where a folder is one of those that are read: its own files would be written over."""
    if folder.is_dir() and any(folder.samefile(source) for source in sources):
        raise FileError(f"{folder} holds what is to be converted: choose another --out")


def check_replaceable(paths: Sequence[Path]) -> None:
    """Raise FileError where a folder has the name of a file to be written: it would be noticed only at the end."""
    for path in paths:
        if path.is_dir():
            raise FileError(f"{path} is a folder where a file is to be written: choose another --out or --name")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as problem:
        raise FileError(f"{folder} is a file: choose a folder for --out") from problem
    except OSError as problem:
        raise FileError(f"{folder} cannot be made: {problem.strerror}") from problem


def _lock(folder: Path) -> int:
    """Lock a folder until the descriptor is closed, also by a kill: two conversions would leave a mixture of files."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as problem:
        raise FileError(f"{folder} cannot be read: {problem.strerror}") from problem
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as problem:
        os.close(descriptor)
        raise _BusyError(f"another conversion writes into {folder}: wait for it, or choose another --out") from problem
    except OSError:
        # A network file system may have no locks on folders: then nobody can tell.
        pass
    return descriptor
