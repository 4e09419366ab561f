"""Videos as Gemma 4 was trained to take them: frames with their times, and the sound track."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.engine.decoders import sound_file
from edgekit.engine.media import Picture, prepare_picture
from edgekit.errors import FileError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from PIL.Image import Image

# One a second; a longer video is shown in as many, evenly spread (Gemma 4's model card: 60 s at one a second).
MOST_FRAMES = 60
# The video processor's default: soft tokens of one frame.
FRAME_TOKENS = 70
# Going through frame by frame is faster than jumping over fewer seconds.
_JUMP = 10.0


@dataclass(frozen=True)
class Video:
    """Frames with the second each is from; `has_sound` says whether there is a sound track."""

    frames: tuple[tuple[float, Picture], ...]
    has_sound: bool


def open_video(path: Path, tokens: int = FRAME_TOKENS) -> Video:
    """Read a video's frames, each to a token budget; FileError where it has none that can be read."""
    import av

    if not path.is_file():
        raise FileError(f"no such video: {path}")
    try:
        with sound_file(path) as container:
            if not container.streams.video:
                raise FileError(f"there are no pictures in {path}")
            has_sound = bool(container.streams.audio)
            frames = tuple((at, prepare_picture(image, tokens)) for at, image in _frames(container))
    except (av.FFmpegError, ValueError) as problem:
        raise FileError(f"cannot read the video {path}: {problem}; give an MP4, WebM, MOV or MKV file") from None
    if not frames:
        raise FileError(f"no frame of {path} can be read")
    return Video(frames, has_sound)


def first_frame(path: Path) -> tuple[Image, float] | None:
    """Return a video's first frame and its length in seconds; None where the file shows nothing that moves."""
    import av

    try:
        with sound_file(path) as container:
            # The picture on a record's sleeve is a video of one frame, too.
            moving = [
                one for one in container.streams.video if not one.disposition & av.stream.Disposition.attached_pic
            ]
            if not moving or not container.duration:
                return None
            frame = next(container.decode(moving[0]), None)
            return (_upright(frame), container.duration / av.time_base) if frame else None
    except (av.FFmpegError, ValueError):
        return None


def frame_times(seconds: float) -> list[float]:
    """Return the times, in seconds, of the frames that are shown of a video."""
    count = max(1, min(MOST_FRAMES, math.ceil(seconds)))
    step = max(1.0, seconds / count)
    return [index * step for index in range(count)]


def timestamp(seconds: float) -> str:
    """Return a time as transformers' Gemma4Processor writes it before a frame."""
    return f"{int(seconds // 60):02d}:{int(seconds % 60):02d}"


def _frames(container: InputContainer) -> Iterator[tuple[float, Image]]:
    """Yield the first frame at or after each time."""
    import av

    seconds = (container.duration or 0) / av.time_base
    decoder, reached = container.decode(video=0), 0.0
    for time in frame_times(seconds):
        if time - reached > _JUMP:
            container.seek(int(time * av.time_base))
            decoder = container.decode(video=0)
        for frame in decoder:
            reached = frame.time or 0.0
            if reached >= time:
                yield time, _upright(frame)
                break
        else:
            return


def _upright(frame: VideoFrame) -> Image:
    # Telephones record lying down and write beside it how far to turn.
    image: Image = frame.to_image()  # type: ignore[no-untyped-call]
    return image.rotate(frame.rotation, expand=True) if frame.rotation else image
