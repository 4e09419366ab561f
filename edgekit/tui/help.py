"""The help screen: every key and every command."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from edgekit.tui.commands import COMMANDS

KEYS = (
    ("Enter", "send"),
    ("Ctrl+J, Shift+Enter", "new line"),
    ("Up, Down", "what was sent before"),
    ("Tab", "take the suggestion, or go to the next part"),
    ("Ctrl+O", "attach a picture or a sound"),
    ("Backspace", "where nothing is typed: take the last file off"),
    ("Esc, Ctrl+C", "stop the answer"),
    ("Ctrl+T", "thinking on or off"),
    ("Ctrl+N", "new conversation"),
    ("PageUp, PageDown", "scroll the conversation"),
    ("Enter on a thought", "unfold it, fold it"),
    ("Ctrl+C on a selection", "copy it"),
    ("Ctrl+P", "all actions, themes too"),
    ("F1", "this help"),
    ("Ctrl+Q", "leave"),
)
_WIDTH = 23


class HelpScreen(ModalScreen[None]):
    """Lists keys and commands; Esc closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f1,q,enter", "dismiss", "Close"),
        Binding("ctrl+c", "dismiss", show=False, priority=True),
    ]

    def compose(self) -> ComposeResult:
        """Show two lists."""
        with VerticalScroll() as box:
            box.border_title = "Help"
            box.border_subtitle = "Esc closes"
            yield Static(_table(KEYS))
            yield Static(_table(tuple((command.usage, command.help) for command in COMMANDS)), classes="commands")


def _table(rows: tuple[tuple[str, str], ...]) -> Content:
    return Content("\n").join(Content.assemble((f"{name:<{_WIDTH}}", "$accent"), text) for name, text in rows)
