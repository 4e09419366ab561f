"""The file that holds the conversations: SQLite, made and brought up to date, and set aside where it is damaged."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import TypeVar

from edgekit.chat.upgrades import UPGRADES
from edgekit.errors import DoesNotFitError, EdgekitError, FileError

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

# "EdgK" in the file's header says whose it is.
_APPLICATION = 0x4564674B
# Seconds to wait for another process's transaction.
_PATIENCE = 10.0


class Database:
    """Opens the file when it is first used; `say` hears in one line what a person should know.

    One thread at a time may use it, always the same.
    """

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        self.path, self._say = path, say
        self._opened: sqlite3.Connection | None = None
        # Device and inode of what is open.
        self._file: tuple[int, int] | None = None

    def read(self, work: Work[T]) -> T:
        """Do what only reads, all of it at one moment's state."""
        return self._do(work, "BEGIN", "NORMAL")

    def write(self, work: Work[T], *, durable: bool = True) -> T:
        """Do what writes, all of it or nothing; what is not `durable` survives the process, but not a power cut."""
        # A write for every few letters typed, each waiting for an SD card, would wear it and the person out.
        return self._do(work, "BEGIN IMMEDIATE", "FULL" if durable else "NORMAL")

    def tidy(self) -> None:
        """Bring what was written into the file itself, as far as nobody else reads: what was overwritten is gone."""
        with suppress(sqlite3.Error, EdgekitError):
            self._connection().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def _do(self, work: Work[T], begin: str, synchronous: str) -> T:
        try:
            try:
                return self._once(work, begin, synchronous)
            except sqlite3.DatabaseError as problem:
                # sqlite3 has subclasses for everything but a damaged file and one that is no database.
                if type(problem) is not sqlite3.DatabaseError:
                    raise
                self._set_aside()
                return self._once(work, begin, synchronous)
        except sqlite3.Error as problem:
            raise self._explain(problem) from problem
        except OSError as problem:
            raise FileError(f"conversations cannot be kept in {self.path}: {problem.strerror}") from problem

    def _once(self, work: Work[T], begin: str, synchronous: str) -> T:
        connection = self._connection()
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute(begin)
        # Commits, or rolls back.
        with connection:
            return work(connection)

    def _connection(self) -> sqlite3.Connection:
        # Deleted or set aside by somebody else: nobody would find what is written there.
        if self._opened is not None and _identity(self.path) != self._file:
            self.close()
        if self._opened is None:
            self._opened = self._open()
            self._file = _identity(self.path)
        return self._opened

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Only its owner may read it; SQLite gives the files beside it the same rights. One that is there is left alone:
        # closing a descriptor of it would drop the locks of SQLite's own.
        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL, 0o600))
        connection = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)
        try:
            # SQLite does not wait for others while it changes the journal's kind.
            with _locked(self.path.parent):
                if self._steps_missing(connection):
                    self._upgrade(connection)
            connection.execute("PRAGMA foreign_keys = ON")
            # What a person deletes is overwritten.
            connection.execute("PRAGMA secure_delete = ON")
        except BaseException:
            connection.close()
            raise
        return connection

    def _steps_missing(self, connection: sqlite3.Connection) -> int:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (owner,) = connection.execute("PRAGMA application_id").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and owner != _APPLICATION:
            raise sqlite3.DatabaseError("another program's database")
        if version > len(UPGRADES):
            raise FileError(f"{self.path} was written by a newer edgekit: update this one")
        return len(UPGRADES) - int(version)

    def _upgrade(self, connection: sqlite3.Connection) -> None:
        # Kept in the file; cannot be part of a transaction.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        with connection:
            for statement in chain.from_iterable(UPGRADES[-self._steps_missing(connection) :]):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute(f"PRAGMA user_version = {len(UPGRADES)}")

    def _set_aside(self) -> None:
        self.close()
        with _locked(self.path.parent):
            # Another process may have been faster: then a sound file lies here by now.
            if self._is_sound():
                return
            aside = _free_name(self.path)
            for ending in ("-wal", "-shm", ""):
                with suppress(FileNotFoundError):
                    self.path.with_name(self.path.name + ending).rename(aside.with_name(aside.name + ending))
        self._say(f"the saved conversations in {self.path} were damaged: set aside as {aside.name}, begun anew")

    def _is_sound(self) -> bool:
        try:
            with closing(sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)) as connection:
                self._steps_missing(connection)
                # The search index can be made again, and may be all that is damaged.
                with suppress(sqlite3.OperationalError):
                    connection.execute("DROP TABLE IF EXISTS search")
                return bool(connection.execute("PRAGMA quick_check").fetchone() == ("ok",))
        except sqlite3.DatabaseError:
            return False

    def _explain(self, problem: sqlite3.Error) -> EdgekitError:
        text = str(problem)
        if "locked" in text:
            return FileError(f"another program keeps {self.path} busy: end it, or wait and try again")
        if "full" in text:
            return DoesNotFitError(f"the disk of {self.path} is full: free some space")
        return FileError(f"{self.path} cannot be used: {text}")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process at a time make or move the file; a kill ends the lock too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # A network file system may have no locks on folders: then two at once must be lucky.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _free_name(path: Path) -> Path:
    base = f"{path.stem}.damaged-{time.strftime('%Y%m%d-%H%M%S')}"
    names = (path.with_name(f"{base}{f'-{number}' if number else ''}{path.suffix}") for number in range(1000))
    return next(name for name in names if not name.exists())
