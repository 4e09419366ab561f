"""What a person sees while a conversion runs: what it will take, then how far it has come."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from edgekit.cli import output
from edgekit.convert.preflight import Preflight


@dataclass
class ConvertProgress:
    """Passes on to a bar what a conversion reports."""

    step: output.Step
    # How many tensors there are, were begun, and the name of the last.
    _tensors: int = 0
    _begun: int = 0
    _name: str = ""

    def announce(self, preflight: Preflight) -> None:
        """Say what the conversion will take to a person who waits for it."""
        self._tensors = preflight.tensors
        if sys.stderr.isatty():
            output.hint(words(preflight))

    def advance(self, done: float, total: float, name: str) -> None:
        """Show how far it has come; `name` is the tensor at work."""
        self._begun += name != self._name
        self._name = name
        self.step(done, total, f"{self._begun}/{self._tensors} tensors")


def words(preflight: Preflight) -> str:
    """Return in a sentence what a conversion will take."""
    room = f"{output.size(preflight.disk)} of disk ({output.size(preflight.free)} free)"
    return f"It takes at most {output.size(preflight.memory)} of memory, {room} and {_duration(preflight.seconds)}."


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "a moment"
    if seconds < 100:
        return f"about {max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"about {minutes} minutes" if minutes < 90 else f"about {minutes // 60} h {minutes % 60} min"
