"""Conversations as rows of SQLite's tables."""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgekit.chat.message import Message
from edgekit.chat.saved import (
    Saved,
    State,
    message_as_json,
    message_from_json,
    searched_text,
    state_as_json,
    state_from_json,
    title_of,
)
from edgekit.errors import FileError

# Role, body and text of a message.
MessageRow = tuple[str, str, str]


@dataclass(frozen=True)
class Place:
    """Where a conversation lies, as the one who saves it knows it."""

    id: int
    # What the row holds since that one has written it.
    mark: int


@dataclass(frozen=True)
class Summary:
    """A line in the list of conversations."""

    id: int
    title: str
    model: str
    # Unix seconds.
    created: float
    changed: float
    questions: int
    # Whether something was typed or asked that has no answer.
    unsent: bool
    # What stands around the words that were searched.
    excerpt: str = ""


def message_row(message: Message) -> MessageRow:
    """Return what stands in a message's row; reads its media, for their digests."""
    return message.role, json.dumps(message_as_json(message)), valid(searched_text(message))


def valid(text: str) -> str:
    """Return text that UTF-8 has: names of files may hold halves of letters."""
    return text.encode("utf-8", "replace").decode()


def is_there(db: sqlite3.Connection, place: Place) -> bool:
    """Return whether a conversation is as its writer left it."""
    found = db.execute("SELECT mark FROM conversation WHERE id = ?", (place.id,)).fetchone()
    return found is not None and bool(found[0] == place.mark)


def begin(db: sqlite3.Connection) -> int:
    """Make an empty conversation; returns its number."""
    now = time.time()
    made = db.execute("INSERT INTO conversation (created, changed) VALUES (?, ?)", (now, now)).lastrowid
    assert made is not None
    return made


def write(db: sqlite3.Connection, id: int, keep: int, new: Sequence[MessageRow], state: State, title: str) -> Place:
    """Replace what comes after the first `keep` messages of a conversation, and its state."""
    mark = secrets.randbits(62)
    unsent = bool(state.draft or state.asked)
    db.execute(
        "UPDATE conversation SET mark = ?, changed = ?, state = ?, unsent = ?, "
        "title = CASE title WHEN '' THEN ? ELSE title END WHERE id = ?",
        (mark, time.time(), json.dumps(state_as_json(state)), unsent, valid(title), id),
    )
    db.execute("DELETE FROM message WHERE conversation = ? AND position >= ?", (id, keep))
    db.executemany(
        "INSERT INTO message (conversation, position, role, body, text) VALUES (?, ?, ?, ?, ?)",
        [(id, position, *row) for position, row in enumerate(new, keep)],
    )
    return Place(id, mark)


def load(db: sqlite3.Connection, id: int) -> tuple[Saved, Place] | None:
    """Return a conversation; raises FileError where its JSON is damaged."""
    columns = "mark, title, created, changed, state"
    found = db.execute(f"SELECT {columns} FROM conversation WHERE id = ?", (id,)).fetchone()
    if found is None:
        return None
    mark, title, created, changed, state = found
    bodies = db.execute("SELECT body FROM message WHERE conversation = ? ORDER BY position", (id,))
    try:
        messages = tuple(message_from_json(json.loads(body)) for (body,) in bodies)
        saved = Saved(id, title, created, changed, messages, state_from_json(json.loads(state)))
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise FileError(f"conversation {id} is damaged: {type(problem).__name__}: {problem}") from problem
    return saved, Place(id, mark)


def summaries(db: sqlite3.Connection, excerpts: dict[int, str] | None, most: int = -1) -> list[Summary]:
    """Return the conversations that have an excerpt, the last changed first; all of them where there are none."""
    found = db.execute(
        "SELECT id, title, state, created, changed, unsent, "
        "(SELECT count(*) FROM message WHERE conversation = conversation.id AND role = 'user') "
        "FROM conversation ORDER BY changed DESC, id DESC LIMIT ?",
        (most,),
    )
    return [_summary(row, excerpts or {}) for row in found if excerpts is None or row[0] in excerpts]


def _summary(row: Any, excerpts: dict[int, str]) -> Summary:  # noqa: ANN401 - a row of SQLite's
    id, title, written, created, changed, unsent, questions = row
    try:
        state = state_from_json(json.loads(written))
    except (ValueError, KeyError, TypeError, AttributeError):
        # Damaged by another program: it is listed, and opening it says so.
        state = State()
    title = title or title_of((), state.unsent)
    return Summary(id, title, state.settings.model, created, changed, questions, bool(unsent), excerpts.get(id, ""))
