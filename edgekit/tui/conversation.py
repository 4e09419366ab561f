"""The conversation so far."""

from __future__ import annotations

from textual.containers import VerticalScroll
from textual.widget import Widget

from edgekit.tui.notice import Notice

# Messages, answers and lines that stay on the screen: what a day of talking would heap up takes memory and time.
_MOST = 120
_EARLIER = "what was said before is no longer shown; the model reads it all the same"


class Conversation(VerticalScroll):
    """Follows the end unless a person has scrolled up; comes back to it with the next question."""

    async def add(self, widget: Widget, *, follow: bool = False) -> None:
        """Append a message; `follow` returns to the end first."""
        # The welcome alone is read from its top, even where it is longer than the screen.
        if follow or len(self.children) == 1:
            self.anchor()
        await self.mount(widget)
        if len(self.children) > _MOST:
            await self.remove_children(list(self.children)[: _MOST // 4])
            await self.mount(Notice(_EARLIER), before=0)

    async def cut(self, widget: Widget) -> None:
        """Take a message away, and all that come after it."""
        children = list(self.children)
        await self.remove_children(children[children.index(widget) :])
        self.anchor()

    async def clear(self) -> None:
        """Take every message away."""
        await self.remove_children()
        self.anchor()

    async def restart(self, welcome: Widget) -> None:
        """Show nothing but the welcome."""
        # First: emptied, what is anchored scrolls above its first row, and stays there once it is let go.
        self.anchor(False)
        await self.remove_children()
        self.scroll_to(y=0, animate=False, force=True, immediate=True, release_anchor=False)
        await self.mount(welcome)
