"""The tables of saved conversations, and how older ones become them."""

# What leads from each version of the schema to the next; `PRAGMA user_version` counts the steps that were done.
UPGRADES = (
    (
        """
        CREATE TABLE conversation (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            -- Drawn anew at every write of messages or state: tells a process whether another one has written since.
            mark INTEGER NOT NULL DEFAULT 0,
            title TEXT NOT NULL DEFAULT '',
            -- Unix seconds.
            created REAL NOT NULL,
            changed REAL NOT NULL,
            -- JSON: settings, what is typed and not sent, what is sent and not answered, what it was shortened from.
            state TEXT NOT NULL DEFAULT '',
            -- Whether there is something that was not sent or not answered.
            unsent INTEGER NOT NULL DEFAULT 0
        )
        """,
        """
        CREATE TABLE message (
            -- Never used again: the search index, which is brought up to date only when somebody searches, goes by it.
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            conversation INTEGER NOT NULL REFERENCES conversation ON DELETE CASCADE,
            position INTEGER NOT NULL,
            role TEXT NOT NULL,
            -- JSON: parts, thought, tool calls.
            body TEXT NOT NULL,
            -- In what it is searched.
            text TEXT NOT NULL,
            UNIQUE (conversation, position)
        )
        """,
    ),
)
