"""How long work says how far it has come."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Is told how far the work has come."""

    def __call__(self, done: float, total: float, text: str = "") -> None:
        """Hear that `done` of `total` is finished and, in a few words, what is being worked on."""


def silent(done: float, total: float, text: str = "") -> None:
    """Tell nobody."""
