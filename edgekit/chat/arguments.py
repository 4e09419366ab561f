"""The syntax of Gemma 4's tool calls: `name{city:<|"|>Paris<|"|>,days:3}`."""

from __future__ import annotations

import json
import math
import re
from typing import Any

QUOTE = '<|"|>'
_NAME = re.compile(r"[^{}]+")
_KEY = re.compile(r"[^\s:{}\[\],]+")
_BARE = re.compile(r"[^,{}\[\]]+")
# As JSON writes them: 007 and 1_000 are words, so that nothing of them is lost.
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
# Python reads no longer ones, and no tool means them.
_MOST_DIGITS = 400
# Lists and mappings in each other: far more than a tool takes, far less than Python's stack does.
_DEEPEST = 64
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None, "None": None, "True": True, "False": False}


class ArgumentError(ValueError):
    """A text is no tool call."""


def parse_call(text: str) -> tuple[str, dict[str, Any]]:
    """Return name and arguments of `call:name{...}`."""
    if not text.startswith("call:"):
        raise ArgumentError(text)
    name = _NAME.match(text, 5)
    if not name:
        raise ArgumentError(text)
    reader = _Reader(text, name.end())
    arguments = reader.value()
    if not isinstance(arguments, dict) or text[reader.at :].strip():
        raise ArgumentError(text)
    return name[0].strip(), arguments


class _Reader:
    def __init__(self, text: str, at: int) -> None:
        self.text, self.at = text, at
        self._depth = 0

    def value(self) -> Any:  # noqa: ANN401 - the shape of JSON
        self._space()
        if self._take("{"):
            return dict(self._items("}", self._pair))
        if self._take("["):
            return self._items("]", self.value)
        if self._take(QUOTE):
            return self._until_quote()
        if self.text.startswith('"', self.at):
            return self._json_string()
        return _scalar(self._match(_BARE))

    def _items(self, end: str, read: Any) -> list[Any]:  # noqa: ANN401
        items = []
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ArgumentError(self.text)
        self._space()
        while not self._take(end):
            items.append(read())
            self._space()
            if not self._take(",") and not self.text.startswith(end, self.at):
                raise ArgumentError(self.text)
            self._space()
        self._depth -= 1
        return items

    def _pair(self) -> tuple[str, Any]:
        if self._take(QUOTE):
            key = self._until_quote()
        elif self.text.startswith('"', self.at):
            key = self._json_string()
        else:
            key = self._match(_KEY)
        self._space()
        if not self._take(":"):
            raise ArgumentError(self.text)
        return key, self.value()

    def _until_quote(self) -> str:
        end = self.text.find(QUOTE, self.at)
        if end < 0:
            raise ArgumentError(self.text)
        start, self.at = self.at, end + len(QUOTE)
        return self.text[start:end]

    def _json_string(self) -> str:
        try:
            value, self.at = json.JSONDecoder().raw_decode(self.text, self.at)
        except ValueError:
            raise ArgumentError(self.text) from None
        # Half a letter, such as "\ud83d" alone, is in no encoding.
        return str(value).encode("utf-8", "replace").decode()

    def _take(self, token: str) -> bool:
        found = self.text.startswith(token, self.at)
        self.at += len(token) if found else 0
        return found

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if not found:
            raise ArgumentError(self.text)
        self.at = found.end()
        return found[0].strip()

    def _space(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1


def _scalar(word: str) -> Any:  # noqa: ANN401
    if word in _WORDS:
        return _WORDS[word]
    if len(word) > _MOST_DIGITS or not _NUMBER.fullmatch(word):
        return word
    if _INTEGER.fullmatch(word):
        return int(word)
    number = float(word)
    return number if math.isfinite(number) else word
