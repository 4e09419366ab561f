"""Markdown that a model writes, piece by piece."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from markdown_it import MarkdownIt
from textual.containers import Vertical
from textual.widgets import Markdown
from textual.widgets.markdown import MarkdownBlock

from edgekit.tui.code_block import CodeBlock
from edgekit.tui.parting import Parting
from edgekit.tui.printable import printable

# Seconds between two paintings: faster than that nobody reads.
_PAUSE = 0.1
# Showing may take this share of the time, however long the answer is: typing and the model get the rest.
_SHARE = 0.25


class Prose(Vertical):
    """Streams; what was written long ago is neither parsed nor laid out again."""

    def __init__(self) -> None:
        super().__init__()
        self._parting = Parting()
        self._last: MarkdownPart | None = None
        self._pending: list[str] = []
        self._shower: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()

    @property
    def source(self) -> str:
        """Return what is shown so far."""
        return "".join(part.source for part in self.query(MarkdownPart))

    async def write(self, text: str) -> None:
        """Append the next piece; it is shown soon."""
        self._pending.append(text)
        if self._shower is None:
            self._shower = asyncio.create_task(self._keep_showing())
        # Lets the screen be painted between two pieces.
        await asyncio.sleep(0)

    async def finish(self) -> None:
        """Show what is still pending."""
        self._hurry.set()
        if self._shower is not None:
            await self._shower
        await self._show(last=True)
        self._hurry.clear()

    async def _keep_showing(self) -> None:
        while self._pending and self.is_attached:
            started = time.perf_counter()
            await self._show()
            await self._painted()
            took = time.perf_counter() - started
            await _at_most(self._hurry, max(_PAUSE, took * (1 / _SHARE - 1)))
        self._shower = None

    async def _show(self, *, last: bool = False) -> None:
        text, self._pending = printable("".join(self._pending)), []
        for begins, piece in self._parting.feed(text, last=last):
            if begins or self._last is None:
                if self._last is not None and not self._last.source.endswith("\n\n"):
                    # Its list goes on in the next part.
                    for block in self._last.children[-1:]:
                        block.add_class("cut")
                self._last = MarkdownPart()
                await self.mount(self._last)
            await self._last.append(piece)

    async def _painted(self) -> None:
        done = asyncio.Event()
        if self.call_after_refresh(done.set):
            # What is not on the screen is not painted either.
            await _at_most(done, 1)


async def _at_most(event: asyncio.Event, seconds: float) -> None:
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)


class MarkdownPart(Markdown):
    """A stretch of an answer; what looks like HTML is shown as it is: models write `List<int>` and mean it."""

    def __init__(self) -> None:
        super().__init__(parser_factory=_parser, open_links=False)

    def get_block_class(self, block_name: str) -> type[MarkdownBlock]:
        """Return the widget of a kind of block."""
        return CodeBlock if block_name in ("fence", "code_block") else super().get_block_class(block_name)


def _parser() -> MarkdownIt:
    return MarkdownIt("gfm-like", {"html": False})
