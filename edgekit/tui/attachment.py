"""A file that goes with the next question, looked at before it is sent."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.chat.message import Media
from edgekit.errors import FileError
from edgekit.tui.graphics import BLOCKS, Graphics
from edgekit.tui.picture import COLUMNS, ROWS
from edgekit.tui.wave import wave

if TYPE_CHECKING:
    from PIL.Image import Image

PICTURES = frozenset({".avif", ".bmp", ".gif", ".heic", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
SOUNDS = frozenset({".aac", ".flac", ".m4a", ".mp3", ".oga", ".ogg", ".opus", ".wav"})
VIDEOS = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".webm"})
# What folders list; a file given by its path may have any name.
SUFFIXES = PICTURES | SOUNDS | VIDEOS


@dataclass(frozen=True)
class Attachment:
    """A picture, a sound or a video with what a person wants to see of it."""

    media: Media
    # "640x480" or "2.1 s".
    extent: str
    bytes: int
    preview: Image | None = None
    # A sound's loudness from its beginning to its end, in block characters.
    wave: str = ""

    @property
    def label(self) -> str:
        """Return its name, extent and size in a few words."""
        mark = {"image": "▣", "audio": "♪", "video": "▶"}[self.media.kind]
        return f"{mark} {self.media.path.name} · {self.extent} · {_size(self.bytes)}"


def read_attachment(path: Path, graphics: Graphics = BLOCKS) -> Attachment:
    """Read a file's outline; FileError where it is nothing to see or hear, UnsupportedError where it is too long."""
    path = path.absolute()
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        raise FileError(f"no such file: {path}") from None
    if not stat.S_ISREG(mode):
        raise FileError(f"{path} is no file: give one picture, sound or video")
    attachment = _read_picture(path, graphics) or _read_video(path, graphics) or _read_sound(path)
    if attachment is None:
        raise FileError(f"{path.name} is neither a picture, a sound nor a video that can be read")
    return attachment


def _read_picture(path: Path, graphics: Graphics) -> Attachment | None:
    from PIL import Image, ImageOps

    from edgekit.engine.decoders import picture_file

    room = _room(graphics)
    try:
        with picture_file(path) as picture:
            extent = f"{picture.width}x{picture.height}"
            # Decodes a large JPEG at a fraction of its size.
            picture.draft("RGB", (room[0] * 4, room[1] * 4))
            preview = ImageOps.exif_transpose(picture).convert("RGBA")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None
    preview.thumbnail(room)
    return Attachment(Media("image", path), extent, path.stat().st_size, preview)


def _read_video(path: Path, graphics: Graphics) -> Attachment | None:
    from edgekit.engine.video import first_frame

    found = first_frame(path)
    if found is None:
        return None
    frame, seconds = found
    extent = f"{frame.width}x{frame.height}, {seconds:.1f} s"
    preview = frame.convert("RGBA")
    preview.thumbnail(_room(graphics))
    return Attachment(Media("video", path), extent, path.stat().st_size, preview)


def _room(graphics: Graphics) -> tuple[int, int]:
    return COLUMNS * graphics.pixels[0], ROWS * graphics.pixels[1]


def _read_sound(path: Path) -> Attachment | None:
    import av

    from edgekit.engine.decoders import sound_file
    from edgekit.engine.media import open_sound

    try:
        with sound_file(path) as container:
            if not container.streams.audio:
                return None
            seconds = (container.duration or 0) / av.time_base
    except (OSError, ValueError, av.FFmpegError):
        return None
    # Decoded here, a sound that cannot be heard is refused before a question is typed.
    shape = wave(open_sound(path).samples)
    return Attachment(Media("audio", path), f"{seconds:.1f} s", path.stat().st_size, wave=shape)


def _size(count: int) -> str:
    return f"{count / (1 << 20):.1f} MB" if count >= 1 << 20 else f"{max(count / 1024, 0.1):.1f} KB"
