"""Files that appear whole or not at all: written beside, made durable, then given their name."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from io import BufferedWriter
from pathlib import Path

from edgekit.convert.unbroken import unbroken
from edgekit.errors import DoesNotFitError, FileError

_ENDING = ".edgekit-partial"


class WholeFile:
    """A file to be written; it takes its name at the end of a `with` block that raised nothing.

    Raises DoesNotFitError where the disk is full, FileError where writing fails otherwise.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # Hidden, and the writer's own: two conversions into one folder do not share it.
        self.partial = path.with_name(f".{path.name}.{os.getpid()}{_ENDING}")
        self.bytes = 0

    def __enter__(self) -> WholeFile:
        try:
            self._file = self._open()
        except OSError as problem:
            raise self._explain(problem) from problem
        return self

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes."""
        try:
            self._file.write(data)
        except OSError as problem:
            raise self._explain(problem) from problem
        self.bytes += len(data)

    def place(self, offset: int, data: bytes | memoryview) -> None:
        """Write bytes at a position; a file is written so from beginning to end, or appended to."""
        rest = memoryview(data)
        self.bytes = max(self.bytes, offset + len(rest))
        try:
            while rest:
                count = os.pwrite(self._file.fileno(), rest, offset)
                offset, rest = offset + count, rest[count:]
        except OSError as problem:
            raise self._explain(problem) from problem

    def digest(self) -> str:
        """Return the SHA-256 of what was written, which is read for it."""
        self.settle()
        made = hashlib.sha256()
        with self.partial.open("rb") as file:
            while data := file.read(1 << 20):
                made.update(data)
        return made.hexdigest()

    def settle(self) -> None:
        """Wait until everything written so far is safe on the disk; only then is the disk known not to be full."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as problem:
            raise self._explain(problem) from problem

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            if kind is None:
                self.settle()
                self._publish()
        except OSError as problem:
            raise self._explain(problem) from problem
        finally:
            # Closing writes what is buffered, which fails again on a full disk.
            with contextlib.suppress(OSError):
                self._file.close()
            self.partial.unlink(missing_ok=True)

    def _open(self) -> BufferedWriter:
        remove_leftovers(self.path.parent)
        while True:
            # Never follows a link that somebody has put there.
            file = self.partial.open("xb")
            # Held until the file is closed or the process dies: tells a running conversion's file from a leftover.
            fcntl.flock(file, fcntl.LOCK_EX)
            # Before that another process may have taken it for one.
            if os.fstat(file.fileno()).st_nlink:
                return file
            file.close()

    def _publish(self) -> None:
        self.partial.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _explain(self, problem: OSError) -> DoesNotFitError | FileError:
        if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            return DoesNotFitError(
                f"the disk is full: {self.path} was not written; free some space or choose another --out"
            )
        if problem.errno == errno.EFBIG:
            return DoesNotFitError(
                f"{self.path} is larger than a file may be here: choose another --out or a smaller --quant"
            )
        return FileError(f"{self.path} cannot be written: {problem.strerror}")


@contextlib.contextmanager
def whole_files(paths: Sequence[Path]) -> Iterator[dict[Path, WholeFile]]:
    """Open files that take their names together at the end of the body, in this order, or not at all."""
    with contextlib.ExitStack() as stack:
        # Left in the reverse order.
        files = {path: stack.enter_context(WholeFile(path)) for path in reversed(paths)}
        yield files
        # Only when all are safe on the disk does the first take its name.
        for file in files.values():
            file.settle()
        with unbroken():
            # The last one names or completes the others: an earlier one must not vouch for old and new together.
            if len(paths) > 1:
                paths[-1].unlink(missing_ok=True)
            stack.close()


def remove_leftovers(folder: Path) -> None:
    """Delete what conversions that were killed have left in a folder; those of running ones stay."""
    for partial in folder.glob(f".*{_ENDING}"):
        with contextlib.suppress(OSError), partial.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            partial.unlink()


def remove_own(folder: Path) -> None:
    """Delete what this process has not finished in a folder, whatever it was doing when it was broken off."""
    for partial in folder.glob(f".*.{os.getpid()}{_ENDING}"):
        with contextlib.suppress(OSError):
            partial.unlink()
