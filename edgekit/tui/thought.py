"""What the model thinks before it answers: folded, with its seconds and tokens."""

from __future__ import annotations

import time

from textual.widgets import Collapsible

from edgekit.tui.prose import Prose


class Thought(Collapsible):
    """Counts while the model thinks; opens with Enter."""

    def __init__(self) -> None:
        self._text = Prose()
        super().__init__(self._text, collapsed_symbol="▸", expanded_symbol="▾")
        self._started = time.monotonic()
        self._pieces = 0
        self._show("Thinking…")
        self._clock = self.set_interval(0.1, lambda: self._show("Thinking…"), pause=True)

    def on_mount(self) -> None:
        """Let the clock run."""
        self._clock.resume()

    async def write(self, text: str) -> None:
        """Append the next piece."""
        # A session reports one piece for every token that it decodes.
        self._pieces += 1
        await self._text.write(text)

    async def finish(self) -> None:
        """Stop the clock."""
        self._clock.stop()
        await self._text.finish()
        self._show("Thought for")

    def _show(self, what: str) -> None:
        seconds = time.monotonic() - self._started
        self.title = f"{what} {seconds:.1f} s · {self._pieces} token{'s' if self._pieces != 1 else ''}"
