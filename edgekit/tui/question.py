"""What the person said."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from edgekit.tui.attachment import Attachment
from edgekit.tui.chips import Chip
from edgekit.tui.graphics import BLOCKS, Graphics
from edgekit.tui.picture import picture_widget
from edgekit.tui.printable import printable


class Question(Vertical):
    """A message of the person's with its pictures and sounds."""

    def __init__(self, text: str, attachments: Sequence[Attachment] = (), graphics: Graphics = BLOCKS) -> None:
        super().__init__()
        self._text, self._graphics = text, graphics
        self._attachments = attachments

    def compose(self) -> ComposeResult:
        """Show media before text, in the order in which the model reads them."""
        for attachment in self._attachments:
            if attachment.preview is not None:
                yield picture_widget(attachment.preview, self._graphics)
            yield Chip(attachment)
        if self._text:
            yield Static(Content(printable(self._text)))
