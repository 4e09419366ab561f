"""Conversations on disk: saved, listed, searched, renamed and deleted."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from edgekit import paths
from edgekit.chat import rows
from edgekit.chat.database import Database
from edgekit.chat.message import Message
from edgekit.chat.rows import Place, Summary
from edgekit.chat.saved import Saved, State, state_name, title_of, without_unsent
from edgekit.chat.search import Query, forget, indexed
from edgekit.chat.shorten import without_request
from edgekit.engine import saved_state
from edgekit.errors import EdgekitError, FileError


class Store:
    """The conversations of one person; `say` hears in one line what she should know.

    Several processes may use one file. One thread at a time may use a Store, always the same.
    """

    def __init__(self, path: Path | None = None, say: Callable[[str], None] = lambda _: None) -> None:
        self._database = Database(path or paths.conversations_file(), say)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def save(
        self,
        place: Place | None,
        messages: Sequence[Message],
        keep: int,
        state: State,
        *,
        title: str = "",
        durable: bool = True,
    ) -> Place | None:
        """Make what is on disk the same as `messages` and `state`; return where that is, None where it is nothing.

        The first `keep` messages lie there already. Where `place` is None, or somebody else has written to it or
        deleted it, all becomes a conversation of its own, so that nobody's words are overwritten. `title` is what a new
        one is called; one that has a title keeps it. What is not `durable` survives the process, but not a power cut.
        """
        nothing = not (messages or state.draft or state.asked)
        if place is None and nothing:
            return None
        title = title or title_of(messages)
        # Digests of media are worked out before anybody else has to wait.
        new = list(map(rows.message_row, messages[keep:] if place else messages))

        def work(db: sqlite3.Connection) -> Place | None:
            here = place if place and rows.is_there(db, place) else None
            if nothing:
                db.execute("DELETE FROM conversation WHERE id = ?", (here and here.id,))
                return None
            if here:
                return rows.write(db, here.id, keep, new, state, title)
            every = list(map(rows.message_row, messages)) if place else new
            return rows.write(db, rows.begin(db), 0, every, state, title)

        return self._database.write(work, durable=durable)

    def release(self, place: Place) -> None:
        """Forget what is unsent in a conversation, which went along into another one; unless somebody has written."""

        def work(db: sqlite3.Connection) -> None:
            found = rows.load(db, place.id) if rows.is_there(db, place) else None
            if found and not found[0].messages:
                db.execute("DELETE FROM conversation WHERE id = ?", (place.id,))
            elif found and found[0].state.unsent:
                rows.write(db, place.id, len(found[0].messages), (), without_unsent(found[0].state), "")

        self._database.write(work)

    def load(self, id: int) -> tuple[Saved, Place]:
        """Return a conversation; FileError where there is none of this number."""
        _check_number(id)
        found = self._database.read(lambda db: rows.load(db, id))
        if found is None:
            raise _missing(id)
        return found

    def whole(self, id: int) -> Saved:
        """Return a conversation as it was held: with what it was shortened by, where that was not deleted.

        FileError where there is none of this number.
        """
        saved, _ = self.load(id)
        messages, before = saved.messages, saved.state.shortened
        while before is not None and (earlier := self._database.read(partial(rows.load, id=before.id))):
            messages = (*earlier[0].messages[: before.messages], *messages[before.carried :])
            before = earlier[0].state.shortened
        return replace(saved, messages=without_request(messages))

    def summaries(self, search: str = "") -> list[Summary]:
        """Return the conversations that hold every word of `search`, the last changed first."""
        query = Query(search)
        with_index = bool(query.long_words) and indexed(self._database)
        return self._database.read(lambda db: rows.summaries(db, query.find(db, with_index) if query else None))

    def latest(self) -> Summary | None:
        """Return the conversation that was changed last."""
        return next(iter(self._database.read(lambda db: rows.summaries(db, None, most=1))), None)

    def rename(self, id: int, title: str) -> None:
        """Give a conversation another title; FileError where there is none of this number."""
        title = rows.valid(" ".join(title.split()))
        if not title:
            raise EdgekitError("a conversation needs a title: say one")
        _check_number(id)
        # The mark stays: whoever has it open goes on there.
        change = "UPDATE conversation SET title = ? WHERE id = ?"
        if not self._database.write(lambda db: db.execute(change, (title, id)).rowcount):
            raise _missing(id)

    def delete(self, *ids: int) -> None:
        """Delete conversations for good; FileError, and none is deleted, where there is none of one number."""

        def work(db: sqlite3.Connection) -> None:
            for id in ids:
                _check_number(id)
                if not db.execute("DELETE FROM conversation WHERE id = ?", (id,)).rowcount:
                    raise _missing(id)

        self._database.write(work)
        forget(self._database)
        for id in ids:
            saved_state.forget(state_name(id))


def _check_number(id: int) -> None:
    # SQLite counts no further.
    if not 0 < id < 1 << 63:
        raise _missing(id)


def _missing(id: int) -> FileError:
    return FileError(f"there is no conversation {id}: `edgekit conversations` lists them")
