"""Encoding a picture or a sound ends in the middle, and leaves nothing half-done."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from PIL import Image

from edgekit.engine.engine import Engine
from edgekit.engine.media import Picture, Sound, prepare_picture
from edgekit.engine.native import StoppedError


class After(threading.Event):
    """Set once it has been looked at so many times."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.left = looks

    def is_set(self) -> bool:
        self.left -= 1
        return self.left < 0


@pytest.fixture
def engine(q8_plan, tmp_path, monkeypatch):
    """With nothing encoded before."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with Engine.open(q8_plan) as engine:
        yield engine


def picture() -> Picture:
    return prepare_picture(Image.effect_noise((800, 600), 90), 1120)


def sound() -> Sound:
    return Sound(np.sin(np.arange(160_000, dtype=np.float32) / 11))


@pytest.mark.parametrize("medium", [picture(), sound()], ids=["picture", "sound"])
def test_encoding_ends_soon_after_it_is_told_to(engine, medium):
    never = After(10**6)
    whole = engine.encode(engine.prepare(medium), never)
    looks = 10**6 - never.left
    assert looks > 6
    engine._projector._embeddings._kept.clear()
    told = After(3)
    for file in (engine._projector._embeddings._folder).iterdir():
        file.unlink()
    with pytest.raises(StoppedError):
        engine.encode(engine.prepare(medium), told)
    # No more than one look in each of the graph's parts, and one at the end.
    assert 3 - told.left < looks
    assert np.array_equal(engine.encode(engine.prepare(medium)), whole)


def test_a_prompt_that_was_stopped_at_its_picture_can_be_read_again(engine):
    prompt = [[2, 5], engine.prepare(picture()), [5]]
    with pytest.raises(StoppedError):
        list(engine.read(prompt, After(3)))
    assert len(engine.cache) == 2
    first, *_ = engine.read(prompt)
    assert first == 2


def test_looking_changes_nothing(engine, monkeypatch):
    """The encoder computed in parts gives what it gives in one."""
    medium = engine.prepare(picture())
    parted = engine.encode(medium)
    engine._projector._embeddings._kept.clear()
    for file in engine._projector._embeddings._folder.iterdir():
        file.unlink()
    monkeypatch.setattr("edgekit.engine.projector._BETWEEN_LOOKS", 10**9)
    assert np.array_equal(engine.encode(medium), parted)
