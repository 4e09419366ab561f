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
        # What nobody has unfolded yet is not formatted either.
        self._unseen: list[str] = []
        self._finished = False
        self._show("Thinking…")
        self._clock = self.set_interval(0.1, lambda: self._show("Thinking…"), pause=True)

    def on_mount(self) -> None:
        """Let the clock run."""
        self._clock.resume()

    async def write(self, text: str) -> None:
        """Append the next piece."""
        # A session reports one piece for every token that it decodes.
        self._pieces += 1
        self._unseen.append(text)
        if not self.collapsed:
            await self._write_unseen()

    def recall(self, text: str) -> None:
        """Hold what was thought on another day: nobody knows how long it took."""
        self._clock.stop()
        self._unseen, self._finished = [text], True
        self.title = "Thought"

    async def finish(self) -> None:
        """Stop the clock."""
        self._clock.stop()
        self._finished = True
        if not self.collapsed:
            await self._write_unseen()
        self._show("Thought for")

    async def on_collapsible_expanded(self) -> None:
        """Show what was thought so far."""
        await self._write_unseen()

    async def _write_unseen(self) -> None:
        text, self._unseen = "".join(self._unseen), []
        await self._text.write(text)
        if self._finished:
            await self._text.finish()

    def _show(self, what: str) -> None:
        seconds = time.monotonic() - self._started
        self.title = f"{what} {seconds:.1f} s · {self._pieces} token{'s' if self._pieces != 1 else ''}"
