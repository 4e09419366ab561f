"""The help screen: every key and every command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from edgekit.tui.commands import COMMANDS

# Keys that belong to what they are pressed in, and stay as they are.
FIXED_KEYS = (
    ("Up, Down", "what you sent before"),
    ("Tab", "take the suggestion; else go to a thought or a code block"),
    ("Enter there", "unfold the thought, copy the code"),
    ("Backspace", "on an empty line: take the last file off"),
    ("E, F", "on a question that Tab went to: edit it, go on from it in a copy"),
    ("Ctrl+P", "all actions, themes too"),
)


class HelpScreen(ModalScreen[None]):
    """Lists keys and commands; Esc closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f1,q,enter", "dismiss", "Close"),
        Binding("ctrl+c", "dismiss", show=False, priority=True),
    ]

    def __init__(self, keys: Sequence[tuple[str, str]], here: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__()
        self._keys, self._here = keys, here

    def compose(self) -> ComposeResult:
        """Show the keys of the screen below first, then those of the conversation, then the commands."""
        with VerticalScroll() as box:
            box.border_title = "Help"
            box.border_subtitle = "Esc closes"
            for name, text in self._here:
                yield Row(name, text)
            if self._here:
                yield Static()
            for name, text in (*self._keys, *FIXED_KEYS):
                yield Row(name, text)
            yield Static()
            for command in COMMANDS:
                yield Row(command.usage, command.help)


class Row(Horizontal):
    """A key or a command and what it does."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(Static(Content(name), classes="name"), Static(Content(text), classes="text"))
