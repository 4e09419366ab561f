"""Files on their way to the next question: read, checked and shown as chips."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.worker import Worker

from edgekit import paths
from edgekit.errors import UnsupportedError
from edgekit.tui.attach import AttachScreen
from edgekit.tui.attachment import Attachment, read_attachment
from edgekit.tui.clipboard import pasted_pictures
from edgekit.tui.graphics import Graphics
from edgekit.tui.microphone import Recording
from edgekit.tui.model import Model

if TYPE_CHECKING:
    from edgekit.tui.chat_screen import ChatScreen


class Attaching:
    """Attaches files to the next question."""

    def __init__(self, screen: ChatScreen, model: Model, folder: Path, graphics: Graphics) -> None:
        self._screen, self._model, self._folder, self._graphics = screen, model, folder, graphics
        self._recording: Recording | None = None
        # Files that are being read.
        self._reading: list[Worker[bool]] = []

    @property
    def reading(self) -> bool:
        """Whether a file on its way to the next question is still being read."""
        return any(not worker.is_finished for worker in self._reading)

    async def read(self) -> bool:
        """Wait until every file is read; returns whether all of them could be."""
        workers, self._reading = self._reading, []
        return all([await worker.wait() for worker in workers])

    def attach(self, paths: Sequence[Path]) -> None:
        """Attach files by their paths."""
        self._read(self._attach(paths))

    def browse(self) -> None:
        """Let a person choose a file."""
        self._begin(self._browse())

    def paste(self) -> None:
        """Attach the picture in the clipboard."""
        self._read(self._paste())

    def record(self) -> None:
        """Begin to record a sound, or end it and attach it."""
        self._begin(self._record())

    def _read(self, work: Coroutine[Any, Any, bool]) -> None:
        # What has been read is of no more interest.
        self._reading = [worker for worker in self._reading if not worker.is_finished]
        self._reading.append(self._begin(work))

    def _begin(self, work: Coroutine[Any, Any, bool | None]) -> Worker[bool]:
        return self._screen.run_worker(self._complaining(work))

    async def _complaining(self, work: Awaitable[bool | None]) -> bool:
        """Do something; returns whether it went well, and says why not."""
        try:
            return await work is not False
        except Exception as problem:
            await self._screen.complain(problem)
            return False

    async def _attach(self, paths: Sequence[Path]) -> bool:
        return all([await self._complaining(self._attach_one(path)) for path in paths])

    async def _attach_one(self, path: Path) -> None:
        attachment = await asyncio.to_thread(read_attachment, path, self._graphics)
        self._check_taken(attachment)
        self._screen.asking.chips.add(attachment)

    async def _browse(self) -> None:
        path = await self._screen.app.push_screen_wait(AttachScreen(self._folder))
        if path is not None:
            self._folder = path.parent
            await self._attach_one(path)

    async def _paste(self) -> bool:
        return await self._attach(await asyncio.to_thread(pasted_pictures, paths.media_directory()))

    async def _record(self) -> None:
        if self._recording is None:
            self._recording = await asyncio.to_thread(Recording, paths.media_directory())
            self._screen.status.change(activity="recording: /record ends it")
            return
        recording, self._recording = self._recording, None
        self._screen.status.change(activity="")
        await self._attach_one(await asyncio.to_thread(recording.finish))

    def _check_taken(self, attachment: Attachment) -> None:
        if (session := self._model.session) is None:
            return
        engine, name = session.engine, attachment.media.path.name
        if attachment.media.kind != "audio" and not engine.takes_pictures:
            raise UnsupportedError(f"{engine.name} was loaded without eyes: it cannot take {name}")
        if attachment.media.kind == "audio" and not engine.takes_sound:
            raise UnsupportedError(f"{engine.name} was loaded without ears: it cannot take {name}")
