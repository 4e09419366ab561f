"""A tool call that the model asks for."""

from __future__ import annotations

import json

from textual.content import Content
from textual.widgets import Static

from edgekit.chat.message import ToolCall


class ToolCard(Static):
    """Shows the tool's name and its arguments, one to a line."""

    def __init__(self, call: ToolCall) -> None:
        lines = [
            Content.assemble("\n  ", (f"{name} ", "$text-muted"), json.dumps(value, ensure_ascii=False))
            for name, value in call.arguments.items()
        ]
        super().__init__(Content.assemble(("⚙ ", "$secondary"), (call.name, "bold"), *lines))
