"""The shape of a sound in one line."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit import paths
from edgekit.tui.attachment import read_attachment
from edgekit.tui.wave import wave


def test_follows_the_loudness() -> None:
    samples = np.concatenate([np.full(100, level, np.float32) for level in (0, 0.25, -0.5, 1)])
    assert wave(samples, 4) == "▁▃▅█"


@pytest.mark.parametrize("count", [0, 1, 3, 24, 25, 100_000])
def test_any_length_fits(count: int) -> None:
    assert len(wave(np.zeros(count, np.float32))) == min(count, 24)


def test_silence_is_flat() -> None:
    assert set(wave(np.zeros(1000, np.float32))) == {"▁"}


def test_a_spoken_word_is_louder_in_its_middle_than_at_its_end() -> None:
    shape = read_attachment(paths.demo_samples() / "seven.wav").wave
    assert "█" in shape
    assert shape[-1] < "█"
