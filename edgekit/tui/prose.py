"""Markdown that a model writes, piece by piece."""

from __future__ import annotations

from markdown_it import MarkdownIt
from textual.widgets import Markdown
from textual.widgets.markdown import MarkdownStream

from edgekit.tui.printable import printable


class Prose(Markdown):
    """Streams; what looks like HTML is shown as it is written, because models write `List<int>` and mean it."""

    def __init__(self) -> None:
        super().__init__(parser_factory=_parser, open_links=False)
        self._stream: MarkdownStream | None = None

    async def write(self, text: str) -> None:
        """Append the next piece."""
        if self._stream is None:
            self._stream = Markdown.get_stream(self)
        await self._stream.write(printable(text))

    async def finish(self) -> None:
        """Show what is still pending."""
        if self._stream is not None:
            await self._stream.stop()
            self._stream = None


def _parser() -> MarkdownIt:
    return MarkdownIt("gfm-like", {"html": False})
