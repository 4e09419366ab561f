"""The files that go with the next question of a conversation that is held line by line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekit import paths
from edgekit.chat.message import Media
from edgekit.cli import output
from edgekit.engine.loaded_model import LoadedModel
from edgekit.errors import EdgekitError, UnsupportedError
from edgekit.tui.attachment import Attachment, read_attachment
from edgekit.tui.clipboard import pasted_pictures
from edgekit.tui.pasted import NO_FILES, as_path, pasted_files
from edgekit.tui.printable import printable


class PlainAttachments:
    """Attached files, which stay until a question with them was answered."""

    def __init__(self, engine: LoadedModel, attachments: Sequence[Attachment]) -> None:
        self._engine, self._attachments = engine, list(attachments)

    @property
    def media(self) -> tuple[Media, ...]:
        """Return what the model gets of them, in order."""
        return tuple(attachment.media for attachment in self._attachments)

    def attach(self, argument: str) -> None:
        """Attach the files of /attach; `none` takes all off again."""
        if not argument:
            raise EdgekitError("say which file: /attach PATH")
        if argument == NO_FILES:
            self.clear()
            output.tell("nothing is attached")
        else:
            self.add(pasted_files(argument) or [as_path(argument)])

    def paste(self, _: str) -> None:
        """Attach the picture in the clipboard."""
        self.add(pasted_pictures(paths.media_directory()))

    def add(self, files: Sequence[Path]) -> None:
        """Attach files, each of which is read and named."""
        for path in files:
            attachment = read_attachment(path)
            self._check(attachment.media)
            self._attachments.append(attachment)
            output.tell(printable(attachment.label))

    def clear(self) -> None:
        """Take all files off."""
        self._attachments.clear()

    def tell_kept(self) -> None:
        """Say what is still attached after a question that failed."""
        if self._attachments:
            labels = ", ".join(printable(attachment.label) for attachment in self._attachments)
            output.tell(f"still attached: {labels}; /attach {NO_FILES} takes it off")

    def _check(self, media: Media) -> None:
        if not (self._engine.takes_sound if media.kind == "audio" else self._engine.takes_pictures):
            raise UnsupportedError(f"{self._engine.name} cannot take {media.path.name}")
