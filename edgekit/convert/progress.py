"""How long work says how far it has come."""

from __future__ import annotations

from collections.abc import Callable

# Hears how much is done, of how much, and in a few words what is being worked on.
Progress = Callable[[float, float, str], None]


def silent(done: float, total: float, text: str) -> None:
    """Tell nobody."""
