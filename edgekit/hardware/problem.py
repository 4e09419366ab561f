"""What is wrong or wasted, with what mends it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """What makes a machine or a file fail, or do worse than it could."""

    # For scripts: it keeps its meaning.
    name: str
    # For people: what is wrong, what comes of it, what to do.
    text: str
