"""Pictures, sounds and videos as they stand in a prompt."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.chat.message import Media
from edgekit.chat.prompt import Medium
from edgekit.engine.media import Budget, open_picture, open_sound
from edgekit.engine.projector import MediaInput
from edgekit.engine.video import open_video, timestamp

if TYPE_CHECKING:
    from edgekit.engine.loaded_model import LoadedModel

# Bytes of pixels and samples that stay ready, so that a turn need not open the files of earlier ones again.
ROOM = 32 << 20


class PreparedMedia:
    """The media of a conversation, read once."""

    def __init__(self, engine: LoadedModel) -> None:
        self._engine = engine
        self._kept: OrderedDict[tuple[object, ...], Medium] = OrderedDict()

    def prepare(self, media: Media, image_tokens: Budget) -> Medium:
        """Return what stands in a medium's place; FileError where its file cannot be read."""
        key = _key(media, image_tokens)
        medium = self._kept.pop(key, None) or _read(self._engine, media, image_tokens)
        self._kept[key] = medium
        while len(self._kept) > 1 and sum(map(_bytes, self._kept.values())) > ROOM:
            self._kept.popitem(last=False)
        return medium


def _key(media: Media, image_tokens: Budget) -> tuple[object, ...]:
    try:
        status = media.path.stat()
    except OSError:
        # Reading it will say what is wrong.
        return (media, None)
    return media.kind, media.path, status.st_size, status.st_mtime_ns, image_tokens


def _bytes(medium: Medium) -> int:
    return sum(part.bytes for part in medium if isinstance(part, MediaInput))


def _read(engine: LoadedModel, media: Media, image_tokens: Budget) -> Medium:
    if media.kind == "image":
        return [engine.prepare(open_picture(media.path, media.image_tokens or image_tokens))]
    if media.kind == "audio":
        return _sound(engine, media.path)
    video = open_video(media.path)
    # As transformers' Gemma4Processor writes them: each frame behind its time, with spaces between.
    parts: list[str | MediaInput] = []
    for index, (seconds, frame) in enumerate(video.frames):
        parts += [f"{' ' if index else ''}{timestamp(seconds)} ", engine.prepare(frame)]
    return [*parts, *(_sound(engine, media.path) if video.has_sound and engine.takes_sound else [])]


def _sound(engine: LoadedModel, path: Path) -> list[MediaInput]:
    return [engine.prepare(piece) for piece in open_sound(path).pieces()]
