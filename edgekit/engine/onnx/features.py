"""Pictures and sounds as the inputs of the encoders, in numpy: what transformers' processors compute."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekit.engine.media import CELL, SAMPLE_RATE

if TYPE_CHECKING:
    from edgekit.engine.media import Picture, Sound

Array = np.ndarray[Any, Any]

PATCH = 16
_BINS = 128
# Samples of an analysis frame and between two of them: 20 and 10 ms.
_FRAME, _HOP = SAMPLE_RATE // 50, SAMPLE_RATE // 100
_FFT = 512
_FLOOR = 1e-3


def picture_length(picture: Picture) -> int:
    """Return the soft tokens of a picture."""
    height, width, _ = picture.pixels.shape
    return int(height // CELL) * int(width // CELL)


def patches(picture: Picture) -> tuple[Array, Array]:
    """Return pixels of shape (1, patches, 16 * 16 * 3) from 0 to 1, and each patch's column and row.

    transformers' Gemma4ImageProcessor, without the padding to the whole budget: one picture needs none.
    """
    height, width, _ = picture.pixels.shape
    rows, columns = height // PATCH, width // PATCH
    cut = picture.pixels.reshape(rows, PATCH, columns, PATCH, 3).transpose(0, 2, 1, 3, 4)
    values = cut.reshape(1, rows * columns, -1).astype(np.float32) * np.float32(1 / 255)
    places = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(1, -1, 2)
    return values, places.astype(np.int64)


def sound_length(sound: Sound) -> int:
    """Return the soft tokens of a sound: two convolutions halve the frames."""
    frames = _frame_count(len(sound.samples))
    for _ in range(2):
        frames = (frames + 1) // 2
    return frames


def log_mel(sound: Sound) -> tuple[Array, Array]:
    """Return the log-mel spectrogram of shape (1, frames, 128), float32, and a mask that is true throughout.

    transformers' Gemma4AudioFeatureExtractor, without the padding to a batch: its frames would be masked.
    """
    samples = np.pad(sound.samples, (_FRAME // 2, 0))
    # One sample more than a frame: the reference leaves it room for a preemphasis that Gemma 4 does not use.
    frames = np.lib.stride_tricks.sliding_window_view(samples, _FRAME + 1)[::_HOP, :-1]
    spectrum = np.abs(np.fft.rfft(frames * _window(), n=_FFT, axis=-1))
    features = np.log(spectrum @ _filters() + _FLOOR).astype(np.float32)
    return features[None], np.ones((1, len(features)), bool)


def _frame_count(samples: int) -> int:
    return max(0, (samples + _FRAME // 2 - (_FRAME + 1)) // _HOP + 1)


@cache
def _window() -> Array:
    # A periodic Hann window.
    turns = 2 * np.pi * np.arange(_FRAME) / _FRAME
    window: Array = (0.5 - 0.5 * np.cos(turns)).astype(np.float32)
    return window


@cache
def _filters() -> Array:
    """Return triangles on the scale of HTK's mel, of shape (257, 128): transformers' mel_filter_bank."""
    highest = SAMPLE_RATE / 2
    mels = np.linspace(0, 2595 * np.log10(1 + highest / 700), _BINS + 2)
    corners = 700 * (10 ** (mels / 2595) - 1)
    frequencies = np.linspace(0, highest, _FFT // 2 + 1)
    slopes = corners[None] - frequencies[:, None]
    widths = np.diff(corners)
    falling, rising = -slopes[:, :-2] / widths[:-1], slopes[:, 2:] / widths[1:]
    filters: Array = np.maximum(0, np.minimum(falling, rising))
    return filters
