"""Keeps what people, tools and files write apart from what the template writes.

A text that contains `<turn|>` must not end a turn, and one that contains `<|image|>` must not ask for a picture: before
rendering such spellings are covered by marks that nobody can guess, and afterwards only written down.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# What stands around a mark: private use characters, which no filter of a template trims or changes.
_OPEN, _CLOSE = "\ue0f0", "\ue0f1"


@dataclass(frozen=True)
class Written:
    """Text of the rendered prompt; with `quoted` it only looks like control tokens."""

    text: str
    quoted: bool = False


class Quoting:
    """The marks of one prompt."""

    def __init__(self, control_spellings: Callable[[str], set[str]]) -> None:
        self._control_spellings = control_spellings
        self._nonce = str(secrets.randbits(96))
        self._covered: list[str] = []

    def cover(self, value: Any) -> Any:  # noqa: ANN401 - the shape of JSON
        """Return messages or tools with every spelling of a control token covered, keys included."""
        if isinstance(value, str):
            return self._cover_text(value)
        if isinstance(value, dict):
            return {self.cover(key): self.cover(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.cover(item) for item in value]
        return value

    def uncover(self, prompt: str) -> list[Written]:
        """Return the rendered prompt in pieces, quoted ones apart."""
        if not self._covered:
            return [Written(prompt)] if prompt else []
        marks = re.compile(f"{_OPEN}{self._nonce}:(\\d+){_CLOSE}")
        # The pattern's group makes every second part a number.
        parts = marks.split(prompt)
        pieces = [
            Written(self._covered[int(part)], quoted=True) if index % 2 else Written(part)
            for index, part in enumerate(parts)
        ]
        return [piece for piece in pieces if piece.text]

    def _cover_text(self, text: str) -> str:
        # Covering one spelling may join what stood around it into another.
        while spellings := self._control_spellings(text):
            longest_first = sorted(spellings, key=len, reverse=True)
            text = re.sub("|".join(map(re.escape, longest_first)), self._mark, text)
        return text

    def _mark(self, found: re.Match[str]) -> str:
        self._covered.append(found[0])
        return f"{_OPEN}{self._nonce}:{len(self._covered) - 1}{_CLOSE}"
