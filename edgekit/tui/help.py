"""The help screen: every key and every command."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from edgekit.tui.commands import COMMANDS

KEYS = (
    ("Enter", "send"),
    ("Ctrl+J, Shift+Enter", "new line"),
    ("Up, Down", "what you sent before"),
    ("Tab", "take the suggestion"),
    ("Ctrl+O", "attach a picture or a sound"),
    ("Backspace", "on an empty line: take the last file off"),
    ("Esc, Ctrl+C", "stop the answer"),
    ("Ctrl+T", "thinking on or off"),
    ("Ctrl+N", "new conversation"),
    ("PageUp, PageDown", "scroll the conversation"),
    ("Tab, then Enter", "unfold a thought, fold it"),
    ("Ctrl+C", "copy the selection"),
    ("Ctrl+P", "all actions, themes too"),
    ("F1", "this help"),
    ("Ctrl+Q", "leave"),
)


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
            for name, text in KEYS:
                yield Row(name, text)
            yield Static()
            for command in COMMANDS:
                yield Row(command.usage, command.help)


class Row(Horizontal):
    """A key or a command and what it does."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(Static(Content(name), classes="name"), Static(Content(text), classes="text"))
