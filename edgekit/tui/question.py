"""What the person said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message as TextualMessage
from textual.widgets import Static

from edgekit.chat.message import Message
from edgekit.tui.attachment import Attachment
from edgekit.tui.chips import Chip
from edgekit.tui.graphics import BLOCKS, Graphics
from edgekit.tui.picture import picture_widget
from edgekit.tui.printable import printable


class Question(Vertical):
    """A message of the person's with its pictures and sounds."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "revise('edit')", "Edit the question", show=False),
        Binding("f", "revise('fork')", "Go on in a copy from here", show=False),
    ]
    can_focus = True

    @dataclass
    class Revised(TextualMessage):
        """A person wants to edit the question, or to go on from it in a copy."""

        question: Message
        how: Literal["edit", "fork"]

    def __init__(
        self,
        text: str,
        attachments: Sequence[Attachment] = (),
        graphics: Graphics = BLOCKS,
        message: Message | None = None,
    ) -> None:
        super().__init__()
        self._text, self._graphics, self.message = text, graphics, message
        self._attachments = attachments

    def compose(self) -> ComposeResult:
        """Show media before text, in the order in which the model reads them."""
        for attachment in self._attachments:
            if attachment.preview is not None:
                yield picture_widget(attachment.preview, self._graphics)
            yield Chip(attachment)
        if self._text:
            yield Static(Content(printable(self._text)))
        yield Static(Content("E edits · F goes on in a copy from here"), classes="hint")

    def action_revise(self, how: Literal["edit", "fork"]) -> None:
        """Ask for one of them."""
        if self.message is not None:
            self.post_message(self.Revised(self.message, how))
