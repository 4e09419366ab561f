"""Files that are attached, and small pictures in half blocks."""

from __future__ import annotations

import wave
from pathlib import Path

import av
import numpy as np
import pytest
from oracles.videos import make_video
from PIL import Image

from edgekit.engine.media import LONGEST_SOUND
from edgekit.errors import EdgekitError, FileError
from edgekit.tui.attachment import read_attachment
from edgekit.tui.graphics import BLOCKS, Graphics
from edgekit.tui.picture import COLUMNS, ROWS, half_blocks


def _picture(path: Path, mode: str, size: tuple[int, int]) -> Path:
    Image.new(mode, size).save(path)
    return path


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_every_kind_of_picture_has_a_preview(tmp_path: Path, mode: str) -> None:
    path = _picture(tmp_path / "picture.tiff", mode, (300, 200))
    attachment = read_attachment(path)
    assert attachment.media.kind == "image"
    assert attachment.extent == "300x200"
    assert attachment.preview is not None
    assert half_blocks(attachment.preview)


@pytest.mark.parametrize("size", [(1, 1), (5000, 40), (40, 5000), (3, 7)])
def test_a_preview_keeps_to_its_room(tmp_path: Path, size: tuple[int, int]) -> None:
    preview = read_attachment(_picture(tmp_path / "odd.png", "RGB", size)).preview
    assert preview is not None
    rows = half_blocks(preview)
    assert 1 <= len(rows) <= ROWS
    assert all(1 <= len(row) <= COLUMNS for row in rows)


@pytest.mark.parametrize("graphics", [BLOCKS, Graphics("kitty", (8, 18)), Graphics("sixel", (12, 24))])
def test_a_preview_has_as_many_pixels_as_the_terminal_shows(tmp_path: Path, graphics: Graphics) -> None:
    preview = read_attachment(_picture(tmp_path / "large.jpg", "RGB", (4000, 3000)), graphics).preview
    assert preview is not None
    width, height = graphics.pixels
    assert preview.height == ROWS * height
    assert preview.width == round(ROWS * height * 4 / 3) <= COLUMNS * width


def test_half_blocks_hold_the_upper_and_the_lower_pixel() -> None:
    picture = Image.new("RGBA", (1, 3), (0, 0, 0, 0))
    picture.putpixel((0, 0), (255, 0, 0, 255))
    (first,), (second,) = half_blocks(picture)
    assert str(first.style) == "#ff0000 on #ffffff"
    assert str(second.style) == "#ffffff on #ffffff"


def test_a_video_shows_its_first_frame(tmp_path: Path) -> None:
    attachment = read_attachment(make_video(tmp_path / "clip.mp4", 3, sound=True))
    assert attachment.media.kind == "video"
    assert attachment.extent.startswith("160x96, 3.")
    assert attachment.label.startswith("▶ clip.mp4")
    assert attachment.preview is not None


def test_a_sound_with_a_picture_on_its_sleeve_is_a_sound(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("mp3", rate=16_000, layout="mono")
        sleeve = container.add_stream("png", rate=1, width=32, height=32, pix_fmt="rgb24")
        sleeve.disposition = av.stream.Disposition.attached_pic
        pixels = np.zeros((32, 32, 3), np.uint8)
        container.mux(sleeve.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(sleeve.encode())
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16_000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16_000
        container.mux(sound.encode(frame))
        container.mux(sound.encode())
    assert read_attachment(path).media.kind == "audio"


def test_a_sound_has_its_length(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 16000, 0, "NONE", ""))
        sound.writeframes(bytes(48000))
    attachment = read_attachment(path)
    assert attachment.media.kind == "audio"
    assert attachment.label == "♪ sound.wav · 1.5 s · 46.9 KB"


@pytest.mark.parametrize(("seconds", "problem"), [(LONGEST_SOUND + 1, "lasts over"), (0.05, "too short")])
def test_a_sound_that_cannot_be_heard_is_refused_at_once(tmp_path: Path, seconds: float, problem: str) -> None:
    path = tmp_path / "sound.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 16000, 0, "NONE", ""))
        sound.writeframes(bytes(int(seconds * 32000)))
    with pytest.raises(EdgekitError, match=problem):
        read_attachment(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n" + bytes(40), b"RIFF\xff\xff\xff\xffWAVEfmt "])
def test_what_is_no_media_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(FileError, match="file is neither a picture, a sound nor a video"):
        read_attachment(path)


def test_folders_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="is no file"):
        read_attachment(tmp_path)
    with pytest.raises(FileError, match="no such file"):
        read_attachment(tmp_path / "missing")
    with pytest.raises(FileError, match="no such file"):
        read_attachment(tmp_path / ("x" * 5000))
