"""Pictures out of the clipboard, by the helpers that Pillow calls; the recording of sounds."""

from __future__ import annotations

import sys
import wave
from pathlib import Path

import pytest
from PIL import Image

from edgekit.engine.media import open_sound
from edgekit.errors import EdgekitError, UnsupportedError
from edgekit.tui.clipboard import pasted_pictures
from edgekit.tui.microphone import Recording, write_sound

linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems have a clipboard of their own")


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH, under X11."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    return folder


def _xclip(folder: Path, script: str) -> None:
    (folder / "xclip").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "xclip").chmod(0o755)


@linux
def test_a_picture_becomes_a_file_once(helper: Path, tmp_path: Path) -> None:
    Image.new("RGB", (30, 20), "red").save(tmp_path / "red.png")
    _xclip(helper, f"exec /bin/cat {tmp_path / 'red.png'}")
    (first,) = pasted_pictures(tmp_path / "media")
    (second,) = pasted_pictures(tmp_path / "media")
    assert first == second
    assert list((tmp_path / "media").iterdir()) == [first]
    with Image.open(first) as picture:
        assert (picture.size, picture.getpixel((0, 0))) == ((30, 20), (255, 0, 0))


@linux
@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("echo 'Error: target image/png not available' >&2; exit 1", "there is no picture in the clipboard"),
        ('echo "Error: Can\'t open display: :0" >&2; exit 1', "the clipboard cannot be read"),
        ("echo no picture", "the clipboard cannot be read"),
    ],
)
def test_a_clipboard_without_a_picture_is_one_line(helper: Path, tmp_path: Path, script: str, problem: str) -> None:
    _xclip(helper, script)
    with pytest.raises(EdgekitError, match=problem) as raised:
        pasted_pictures(tmp_path / "media")
    assert len(str(raised.value).splitlines()) == 1
    assert not (tmp_path / "media").exists()


@linux
def test_without_a_helper_it_says_which_to_install(helper: Path, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"needs wl-paste .* or xclip"):
        pasted_pictures(tmp_path)


def test_a_recorded_sound_is_what_the_model_hears(tmp_path: Path) -> None:
    with wave.open(str(write_sound(bytes(range(256)) * 125, tmp_path)), "rb") as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (16000, 1, 16000)
    assert len(open_sound(next(tmp_path.iterdir())).samples) == 16000


def test_nothing_recorded_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(EdgekitError, match="nothing was recorded"):
        write_sound(b"", tmp_path / "media")
    assert not (tmp_path / "media").exists()


def test_without_sounddevice_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(UnsupportedError, match=r"pip install 'edgekit\[microphone\]'"):
        Recording(tmp_path)
