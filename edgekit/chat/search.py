"""Finding conversations by words: with SQLite's full-text index where it has one, else by reading everything.

Both ways find the same: every word, in capitals or not, anywhere in a word of the same message, or in the title.
"""

from __future__ import annotations

import sqlite3

from edgekit.chat.database import Database
from edgekit.errors import EdgekitError

# The index holds three letters at a time: it knows nothing of shorter words.
_SHORTEST = 3
_BEFORE, _AFTER = 24, 72


class Query:
    """The words that a person looks for; false where there are none."""

    def __init__(self, text: str) -> None:
        # Letters that have no UTF-8 occur nowhere.
        words = text.encode("utf-8", "replace").decode().replace("\0", " ").casefold().split()
        self.words = tuple(words)
        self.long_words = tuple(word for word in words if len(word) >= _SHORTEST)

    def __bool__(self) -> bool:
        return bool(self.words)

    def find(self, db: sqlite3.Connection, with_index: bool) -> dict[int, str]:
        """Return the numbers of the conversations, each with what stands around the first word in its last message."""
        db.create_function("holds", 1, self._holds, deterministic=True)
        titles = db.execute("SELECT id, '' FROM conversation WHERE holds(title)")
        found = dict(titles.fetchall())
        narrower = "id IN (SELECT rowid FROM search WHERE search MATCH ?) AND " if with_index else ""
        match = [" AND ".join(map(_quoted, self.long_words))] if with_index else []
        messages = db.execute(f"SELECT conversation, text FROM message WHERE {narrower}holds(text) ORDER BY id", match)
        return found | {id: self._excerpt(text) for id, text in messages}

    def _holds(self, text: str) -> bool:
        folded = text.casefold()
        return all(word in folded for word in self.words)

    def _excerpt(self, text: str) -> str:
        line = " ".join(text.split())
        at = max(line.casefold().find(self.words[0]), 0)
        start, end = max(at - _BEFORE, 0), at + _AFTER
        return f"{'…' if start else ''}{line[start:end]}{'…' if end < len(line) else ''}"


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'


def indexed(database: Database) -> bool:
    """Bring the index up to date; returns False where that cannot be: this SQLite has none, or may not write.

    It is done when somebody searches: a process whose SQLite has no index can write conversations all the same.
    """
    try:
        database.write(_catch_up, durable=False)
    except EdgekitError:
        return False
    return True


def forget(database: Database) -> None:
    """Leave nothing of deleted conversations in the file, as far as this SQLite can."""
    indexed(database)
    database.tidy()


def _catch_up(db: sqlite3.Connection) -> None:
    db.execute("CREATE VIRTUAL TABLE IF NOT EXISTS search USING fts5(text, tokenize = 'trigram')")
    # Words go in folded as the query's are: FTS5 knows other capitals than Python does.
    db.create_function("folded", 1, str.casefold, deterministic=True)
    gone = db.execute("DELETE FROM search WHERE rowid NOT IN (SELECT id FROM message)").rowcount
    db.execute(
        "INSERT INTO search (rowid, text) SELECT id, folded(text) FROM message "
        "WHERE id > (SELECT coalesce(max(rowid), 0) FROM search)"
    )
    if gone:
        # Deleted words stay in the index until it is merged.
        db.execute("INSERT INTO search (search) VALUES ('optimize')")
