"""The conversation so far."""

from __future__ import annotations

from textual.containers import VerticalScroll
from textual.widget import Widget


class Conversation(VerticalScroll):
    """Follows the end unless a person has scrolled up; comes back to it with the next question."""

    def on_mount(self) -> None:
        """Stay at the end."""
        self.anchor()

    async def add(self, widget: Widget, *, follow: bool = False) -> None:
        """Append a message; `follow` returns to the end first."""
        if follow:
            self.anchor()
        await self.mount(widget)

    async def clear(self) -> None:
        """Take every message away."""
        await self.remove_children()
        self.anchor()
