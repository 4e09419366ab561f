"""A tool call that the model asks for."""

from __future__ import annotations

import json

from textual.content import Content
from textual.widgets import Static

from edgekit.chat.message import ToolCall
from edgekit.tui.printable import printable


class ToolCard(Static):
    """Shows the tool's name and its arguments, one to a line."""

    def __init__(self, call: ToolCall) -> None:
        lines = [
            Content.assemble("\n  ", (f"{printable(name)} ", "$text-muted"), printable(_json(value)))
            for name, value in call.arguments.items()
        ]
        super().__init__(Content.assemble(("⚙ ", "$secondary"), (printable(call.name), "bold"), *lines))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
