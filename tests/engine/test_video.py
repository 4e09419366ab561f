"""Videos: which frames are shown, and that they and their sound are what transformers would give."""

from __future__ import annotations

import pytest
from oracles.videos import RATE, make_video

from edgekit.engine.media import open_sound
from edgekit.engine.video import frame_times, open_video, timestamp
from edgekit.errors import FileError


def brightness(picture):
    return float(picture.pixels.mean())


def test_one_frame_a_second(tmp_path):
    video = open_video(make_video(tmp_path / "a.mp4", 6))
    assert [at for at, _ in video.frames] == [0, 1, 2, 3, 4, 5]
    assert [brightness(frame) for _, frame in video.frames] == pytest.approx([0, 20, 40, 60, 80, 100], abs=6)
    assert not video.has_sound


def test_a_long_video_is_shown_in_sixty(tmp_path):
    video = open_video(make_video(tmp_path / "a.mp4", 100, fps=2))
    times = [at for at, _ in video.frames]
    assert len(times) == 60
    assert times[1] - times[0] == pytest.approx(100 / 60)
    expected = [20 * int(at) % 256 for at in times]
    # A frame is the first at or after its time, and may belong to the next second.
    later = [20 * int(at + 0.5) % 256 for at in times]
    for (_, frame), one, other in zip(video.frames, expected, later, strict=True):
        assert min(abs(brightness(frame) - one), abs(brightness(frame) - other)) < 8


@pytest.mark.parametrize("seconds", [0.0, 0.3, 1, 59.5, 60, 61, 3600])
def test_times_lie_within_the_video(seconds):
    times = frame_times(seconds)
    assert 1 <= len(times) <= 60
    assert times[0] == 0
    assert times[-1] <= seconds
    assert times == sorted(times)


def test_a_frame_has_its_budget(tmp_path):
    for tokens in (70, 140):
        (_, frame), *_ = open_video(make_video(tmp_path / "a.mp4", 1), tokens).frames
        height, width, _ = frame.pixels.shape
        assert tokens * 0.6 < height * width / 48**2 <= tokens


def test_times_are_written_as_transformers_does():
    assert [timestamp(at) for at in (0, 1.9, 61, 3599, 3600)] == ["00:00", "00:01", "01:01", "59:59", "60:00"]


def test_its_sound_is_heard(tmp_path):
    path = make_video(tmp_path / "a.mp4", 2, sound=True)
    assert open_video(path).has_sound
    assert len(open_sound(path).samples) == pytest.approx(2 * RATE, rel=0.1)


def test_what_is_no_video(tmp_path):
    with pytest.raises(FileError, match="no such video"):
        open_video(tmp_path / "none.mp4")
    (tmp_path / "text.mp4").write_text("no video at all")
    with pytest.raises(FileError, match="give an MP4"):
        open_video(tmp_path / "text.mp4")
    whole = make_video(tmp_path / "a.mp4", 3)
    (tmp_path / "cut.mp4").write_bytes(whole.read_bytes()[:200])
    with pytest.raises(FileError):
        open_video(tmp_path / "cut.mp4")
