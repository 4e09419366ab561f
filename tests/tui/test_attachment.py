"""Files that are attached, and small pictures in half blocks."""

from __future__ import annotations

import wave
from pathlib import Path

import pytest
from PIL import Image

from edgekit.errors import FileError
from edgekit.tui.attachment import PREVIEW_COLUMNS, PREVIEW_ROWS, read_attachment
from edgekit.tui.picture import half_blocks


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
    assert 1 <= len(rows) <= PREVIEW_ROWS
    assert all(1 <= len(row) <= PREVIEW_COLUMNS for row in rows)


def test_half_blocks_hold_the_upper_and_the_lower_pixel() -> None:
    picture = Image.new("RGBA", (1, 3), (0, 0, 0, 0))
    picture.putpixel((0, 0), (255, 0, 0, 255))
    (first,), (second,) = half_blocks(picture)
    assert str(first.style) == "#ff0000 on #ffffff"
    assert str(second.style) == "#ffffff on #ffffff"


def test_a_sound_has_its_length(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 16000, 0, "NONE", ""))
        sound.writeframes(bytes(48000))
    attachment = read_attachment(path)
    assert attachment.media.kind == "audio"
    assert attachment.label == "♪ sound.wav · 1.5 s · 46.9 KB"


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n" + bytes(40), b"RIFF\xff\xff\xff\xffWAVEfmt "])
def test_what_is_no_media_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(FileError, match="file is neither a picture nor a sound"):
        read_attachment(path)


def test_folders_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="is no file"):
        read_attachment(tmp_path)
    with pytest.raises(FileError, match="no such file"):
        read_attachment(tmp_path / "missing")
    with pytest.raises(FileError, match="no such file"):
        read_attachment(tmp_path / ("x" * 5000))
