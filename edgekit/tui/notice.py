"""One line from edgekit itself in the conversation."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from edgekit.tui.printable import printable

_MARKS = {"error": "✗", "done": "·"}


class Notice(Static):
    """An error or a confirmation; never part of what the model reads."""

    def __init__(self, text: str, kind: str = "done") -> None:
        super().__init__(Content(f"{_MARKS[kind]} {printable(' '.join(text.split()))}"), classes=kind)
