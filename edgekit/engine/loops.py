"""What is timed: a loaded model as a conversation uses it and, beside that, the library beneath alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Protocol

from edgekit.engine.vocabulary import Vocabulary


class Loop(Protocol):
    """Goes on from where the cache stands; returns seconds, raises StoppedError once told to stop."""

    def prefill(self, tokens: list[int]) -> float:
        """Read tokens."""

    def decode(self, tokens: list[int]) -> float:
        """Write as many tokens."""


class TimedModel(Protocol):
    """A loaded model with a cache that goes back to a mark, whichever library computes it."""

    @property
    def library(self) -> str:
        """Return what computes: llama.cpp or onnxruntime."""

    @property
    def vocabulary(self) -> Vocabulary:
        """Return the model's tokens."""

    def clear(self) -> None:
        """Forget everything."""

    def mark(self) -> None:
        """Remember where the cache ends."""

    def go_back(self) -> None:
        """Forget what came after the mark."""

    def read(self, tokens: list[int], stop: threading.Event) -> Iterator[int]:
        """Compute tokens from the first on, as a conversation does; yields how many are in the cache."""

    def write(self, count: int, stop: threading.Event) -> int:
        """Write `count` tokens by Gemma 4's sampling, or fewer where a turn ends; returns how many were computed."""

    def alone(self, stop: threading.Event) -> Loop:
        """Return the library's own loop with the same weights and cache."""


class OwnLoop:
    """What a conversation does: reads batch by batch, chooses each token by Gemma 4's sampling."""

    def __init__(self, model: TimedModel, known: list[int], stop: threading.Event) -> None:
        self._model, self._known, self._stop = model, known, stop

    def prefill(self, tokens: list[int]) -> float:
        """Read tokens after the known ones."""
        started = time.perf_counter()
        for _ in self._model.read(self._known + tokens, self._stop):
            continue
        return time.perf_counter() - started

    def decode(self, tokens: list[int]) -> float:
        """Write as many tokens; which ones is left to the model."""
        started, left = time.perf_counter(), len(tokens)
        while left:
            left -= self._model.write(left, self._stop)
        return time.perf_counter() - started
