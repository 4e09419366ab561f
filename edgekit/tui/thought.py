"""What the model thinks before it answers: folded, with its seconds and tokens."""

from __future__ import annotations

import time

from textual.widgets import Collapsible, Markdown
from textual.widgets.markdown import MarkdownStream


class Thought(Collapsible):
    """Counts while the model thinks; opens with Enter."""

    def __init__(self) -> None:
        self._markdown = Markdown(open_links=False)
        super().__init__(self._markdown, collapsed_symbol="▸", expanded_symbol="▾")
        self._stream: MarkdownStream | None = None
        self._started = time.monotonic()
        self._pieces = 0
        self._show("Thinking…")
        self._clock = self.set_interval(0.1, lambda: self._show("Thinking…"), pause=True)

    def on_mount(self) -> None:
        """Let the clock run."""
        self._clock.resume()

    async def write(self, text: str) -> None:
        """Append the next piece."""
        if self._stream is None:
            self._stream = Markdown.get_stream(self._markdown)
        # A session reports one piece for every token that it decodes.
        self._pieces += 1
        await self._stream.write(text)

    async def finish(self) -> None:
        """Stop the clock."""
        if self._stream is not None:
            self._clock.stop()
            await self._stream.stop()
            self._stream = None
            self._show("Thought for")

    def _show(self, what: str) -> None:
        seconds = time.monotonic() - self._started
        self.title = f"{what} {seconds:.1f} s · {self._pieces} tokens"
