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

    # Those with priority come before what TextArea does with the key.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "send", "Send", priority=True, show=False, id="send"),
        Binding("ctrl+j,shift+enter,alt+enter", "new_line", "New line", priority=True, show=False, id="new_line"),
        # Ctrl+Z, TextArea's own key for it, suspends.
        Binding("ctrl+underscore", "undo", "Undo typing", show=False, id="undo"),
        # The conversation scrolls while the cursor stays here.
        Binding("pageup", "screen.page(-1)", "Scroll the conversation up", show=False, id="page_up"),
        Binding("pagedown", "screen.page(1)", "Scroll the conversation down", show=False, id="page_down"),
    ]

    @dataclass
    class Submitted(Message):
        """Enter was pressed; the text has left the composer, which remembers it or takes it back."""

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
        self._typed = ""

    async def _on_key(self, event: events.Key) -> None:
        # Textual calls TextArea's own handler next, unless it is prevented.
        if handler := self._handler(event.key):
            event.stop()
            event.prevent_default()
            handler()

    def _handler(self, key: str) -> Callable[[], object] | None:
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

    def action_send(self) -> None:
        """Send what is typed."""
        # Keys with priority overtake those typed before them, which wait in the queue.
        self.call_later(self._send)

    def action_new_line(self) -> None:
        """Begin a new line."""
        self.call_later(self.insert, "\n")

    def _send(self) -> None:
        text = self.text
        # What is typed from now on belongs to the next one.
        self.clear()
        self.post_message(self.Submitted(text))

    def begin(self, text: str) -> None:
        """Put the beginning of a command before what is typed."""
        self._put(text + self.text)
        self.focus()

    def update_suggestion(self) -> None:
        """Suggest the rest of a command or a path."""
        self.suggestion = complete(self.text) if self.cursor_at_end_of_text else ""

    def remember(self, text: str) -> None:
        """Keep a text that was sent: Up brings it back."""
        if text.strip() and text not in self._sent[-1:]:
            self._sent.append(text)
        self._back = 0

    def take_back(self, text: str) -> None:
        """Put a text that is not sent where it came from, before what was typed since."""
        self._put(text + self.text)

    def give_back(self, text: str) -> None:
        """Put a text that could not be sent where it came from, unless another one has been begun."""
        if not self.text:
            self._put(text)

    def _recall(self, back: int) -> None:
        if not self._back:
            self._typed = self.text
        self._back = back
        self._put(self._sent[-back] if back else self._typed)

    def _put(self, text: str) -> None:
        self.text = text
        self.move_cursor(self.document.end)
