"""Videos and long sounds in a prompt, and which files are read again."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from oracles.videos import make_video
from PIL import Image

from edgekit.chat.events import Finished
from edgekit.chat.medium import PreparedMedia
from edgekit.chat.message import Media, user
from edgekit.chat.session import Session
from edgekit.engine.engine import Engine
from edgekit.engine.media import Sound
from edgekit.engine.projector import MediaInput
from edgekit.engine.sampling import Sampling


@pytest.fixture
def video(tmp_path) -> Media:
    return Media("video", make_video(tmp_path / "video.mp4", 4, sound=True))


def lengths(engine: Engine, video: Media) -> list[str | int]:
    medium = PreparedMedia(engine).prepare(video, 280)
    return [part.length if isinstance(part, MediaInput) else part for part in medium]


def test_a_video_is_frames_with_their_times_and_its_sound(q8_engine, video):
    *frames, sound = lengths(q8_engine, video)
    assert frames[::2] == ["00:00 ", " 00:01 ", " 00:02 ", " 00:03 "]
    assert len({*frames[1::2]}) == 1
    # 40 ms a token.
    assert sound == pytest.approx(100, abs=4)


def test_the_prompt_is_the_one_that_transformers_makes(q8_engine, reference, tmp_path):
    """Its processor writes the frames' times and marks into the text; the tokens of that text are ours."""
    from transformers.models.gemma4.processing_gemma4 import Gemma4Processor

    silent = Media("video", make_video(tmp_path / "silent.mp4", 3))
    session = Session(q8_engine)
    ours: list[int] = []
    count = 0
    for piece in session.prompt([user("What happens?", silent)]):
        if isinstance(piece, MediaInput):
            count = piece.length
            ours += [-1] * piece.length
        else:
            ours += piece
    tokenizer = reference.tokenizer
    marks = SimpleNamespace(
        boi_token=tokenizer.boi_token, eoi_token=tokenizer.eoi_token, video_token=tokenizer.image_token
    )
    facts = {
        "num_soft_tokens_per_video": [count],
        "video_metadata": [SimpleNamespace(fps=1, timestamps=[0.0, 1.0, 2.0])],
    }
    frames = Gemma4Processor.replace_video_token(marks, facts, 0)
    content = [{"type": "video"}, {"type": "text", "text": "What happens?"}]
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
    )
    theirs = tokenizer(text.replace("<|video|>", frames), add_special_tokens=False)["input_ids"]
    assert ours == [-1 if token == tokenizer.image_token_id else token for token in theirs]


def test_a_video_is_answered_about(q8_engine, video):
    q8_engine.cache.clear()
    *_, last = Session(q8_engine, sampling=Sampling(temperature=0, max_tokens=20)).answer([user("What is it?", video)])
    assert isinstance(last, Finished)
    assert last.usage.media_tokens > 250


def test_a_long_sound_is_heard_in_pieces(q8_engine, tmp_path, monkeypatch):
    sound = Sound(np.zeros(70 * 16_000, np.float32))
    monkeypatch.setattr("edgekit.chat.medium.open_sound", lambda path: sound)
    medium = PreparedMedia(q8_engine).prepare(Media("audio", tmp_path / "long.wav"), 280)
    assert [round(part.length / 25) for part in medium] == [30, 30, 10]


def test_a_file_is_read_again_only_when_it_changes(q8_engine, tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    Image.new("RGB", (96, 96), "red").save(path)
    media, picture = PreparedMedia(q8_engine), Media("image", path)
    (first,) = media.prepare(picture, 70)
    assert media.prepare(picture, 70)[0] is first
    assert media.prepare(picture, 140)[0] is not first
    Image.new("RGB", (97, 96), "blue").save(path)
    (changed,) = media.prepare(picture, 70)
    assert changed.digest != first.digest
    monkeypatch.setattr("edgekit.chat.medium.ROOM", 0)
    assert media.prepare(picture, 140)
    assert media.prepare(picture, 70)[0] is not changed
