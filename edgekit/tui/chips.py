"""The files that go with the next question, above the composer."""

from __future__ import annotations

from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from edgekit.tui.attachment import Attachment
from edgekit.tui.printable import printable


class Chips(Vertical):
    """Holds the attachments until they are sent; hidden while there are none."""

    class Changed(Message):
        """A file was attached or taken off."""

    def __init__(self) -> None:
        super().__init__()
        self._attachments: list[Attachment] = []

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """Return what is attached, in order."""
        return tuple(self._attachments)

    def add(self, *attachments: Attachment) -> None:
        """Attach files."""
        self._attachments.extend(attachments)
        self._show()

    def remove_last(self) -> None:
        """Take the last file off again."""
        if self._attachments:
            self._attachments.pop()
            self._show()

    def take(self) -> tuple[Attachment, ...]:
        """Return all and forget them."""
        taken, self._attachments = self.attachments, []
        self._show()
        return taken

    def _show(self) -> None:
        self.remove_children()
        self.mount_all(Chip(attachment) for attachment in self._attachments)
        self.set_class(bool(self._attachments), "filled")
        self.post_message(self.Changed())


class Chip(Static):
    """One attached file by name, extent and size."""

    def __init__(self, attachment: Attachment) -> None:
        wave = ("  " + attachment.wave, "$accent") if attachment.wave else ""
        super().__init__(Content.assemble(printable(attachment.label), wave))
