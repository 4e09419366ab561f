"""Where a person types."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import TextArea

from edgekit.tui.completion import complete
from edgekit.tui.pasted import pasted_files


class Composer(TextArea):
    """Enter sends; Ctrl+J, Shift+Enter and Alt+Enter begin a new line; Tab takes the suggestion."""

    BINDINGS: ClassVar[list[BindingType]] = [
        # The conversation scrolls while the cursor stays here.
        Binding("pageup", "screen.page(-1)", show=False),
        Binding("pagedown", "screen.page(1)", show=False),
    ]

    @dataclass
    class Submitted(Message):
        """Enter was pressed."""

        text: str

    @dataclass
    class Dropped(Message):
        """Paths of files were pasted or dropped."""

        paths: list[Path]

    class RemovedLast(Message):
        """Backspace was pressed where there is no text."""

    def __init__(self) -> None:
        super().__init__(placeholder="Ask something · /help", highlight_cursor_line=False, soft_wrap=True)
        self._sent: list[str] = []
        # How far back in what was sent Up has gone; 0 is the text being typed.
        self._back = 0

    async def _on_key(self, event: events.Key) -> None:
        # Textual calls TextArea's own handler next, unless it is prevented.
        if handler := self._handler(event.key):
            event.stop()
            event.prevent_default()
            handler()

    def _handler(self, key: str) -> Callable[[], object] | None:
        if key == "enter":
            return self._submit
        if key in ("ctrl+j", "shift+enter", "alt+enter"):
            return lambda: self.insert("\n")
        if key == "tab" and self.suggestion:
            return lambda: self.insert(self.suggestion)
        if key == "backspace" and not self.text:
            return lambda: self.post_message(self.RemovedLast())
        if key == "up" and self.cursor_location[0] == 0 and self._back < len(self._sent):
            return lambda: self._recall(self._back + 1)
        if key == "down" and self.cursor_at_last_line and self._back:
            return lambda: self._recall(self._back - 1)
        return None

    async def _on_paste(self, event: events.Paste) -> None:
        # Behind a command a path is its argument.
        if self.text.startswith("/") or not (paths := pasted_files(event.text)):
            return
        event.stop()
        event.prevent_default()
        self.post_message(self.Dropped(paths))

    def update_suggestion(self) -> None:
        """Suggest the rest of a command or a path."""
        self.suggestion = complete(self.text) if self.cursor_at_end_of_text else ""

    def accept(self) -> None:
        """Empty the text and remember it: it was sent."""
        if self.text.strip() and self.text not in self._sent[-1:]:
            self._sent.append(self.text)
        self._back = 0
        self.clear()

    def give_back(self, text: str) -> None:
        """Put a text that could not be sent where it came from, unless another one has been begun."""
        if not self.text:
            self._put(text)

    def _submit(self) -> None:
        self.post_message(self.Submitted(self.text.strip()))

    def _recall(self, back: int) -> None:
        self._back = back
        self._put(self._sent[-back] if back else "")

    def _put(self, text: str) -> None:
        self.text = text
        self.move_cursor(self.document.end)
