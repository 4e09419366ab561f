"""Pieces of GBNF, the language of llama.cpp's grammars: JSON's own rules, quoted texts, ranges of numbers."""

from __future__ import annotations

import json
from typing import Any

# JSON's grammar with limits, so that white space and digits end. Escapes of half letters (\ud800) are no text.
RULES = {
    "ws": r'"" | " " | "\n" [ \t]{0,20}',
    "hex": "[0-9a-fA-F]",
    "char": r'[^"\\\x00-\x1F\x7F] | "\\" (["\\/bfnrt] | "u" ([0-9a-cA-CefEF] hex{3} | [dD] [0-7] hex{2}))',
    "string": r'"\"" char* "\""',
    "integer": '"-"? ("0" | [1-9] [0-9]{0,14})',
    "number": 'integer ("." [0-9]{1,15})? ([eE] [-+]? [0-9]{1,2})?',
    "fraction": '"." [0-9]{0,14} [1-9]',
    "pair": 'string ":" ws value',
    "object": '"{" ws (pair ("," ws pair)* ws)? "}"',
    "array": '"[" ws (value ("," ws value)* ws)? "]"',
    "value": 'object | array | string | number | "true" | "false" | "null"',
}
# The largest number of digits that the rules above write.
_LARGEST = 10**15 - 1


def quoted(text: str) -> str:
    """Return the literal that stands for a text."""
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"}
    return '"' + "".join(escapes.get(letter, letter) for letter in text) + '"'


def literal(value: Any) -> str:  # noqa: ANN401 - the shape of JSON
    """Return the literal that stands for a JSON value; ValueError where JSON or UTF-8 has none for it."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    text.encode()
    return quoted(text)


def integers(low: int | None, high: int | None) -> str:
    """Return an expression for every integer of up to 15 digits from `low` to `high`, "" where there is none."""
    low, high = max(-_LARGEST if low is None else low, -_LARGEST), min(_LARGEST if high is None else high, _LARGEST)
    parts = []
    if low < 0 and max(1, -high) <= -low:
        parts.append(f'"-" ({_digits(max(1, -high), -low)})')
    if max(0, low) <= high:
        parts.append(_digits(max(0, low), high))
    return " | ".join(parts)


def fractions(low: int | None, high: int | None) -> str:
    """Return an expression for numbers with decimals between two whole ones, "" where there are none."""
    low, high = max(-_LARGEST if low is None else low, -_LARGEST), min(_LARGEST if high is None else high, _LARGEST)
    parts = []
    if max(0, -high) <= -low - 1:
        parts.append(f'"-" ({_digits(max(0, -high), -low - 1)}) fraction')
    if max(0, low) <= high - 1:
        parts.append(f"({_digits(max(0, low), high - 1)}) fraction")
    return " | ".join(parts)


def _digits(low: int, high: int) -> str:
    parts = []
    for length in range(len(str(low)), len(str(high)) + 1):
        first = max(low, 10 ** (length - 1) if length > 1 else 0)
        parts.append(_of_one_length(str(first), str(min(high, 10**length - 1))))
    return " | ".join(parts)


def _of_one_length(low: str, high: str) -> str:
    rest = len(low) - 1
    if low == high:
        return f'"{low}"'
    if not rest:
        return f"[{low}-{high}]"
    if low[0] == high[0]:
        return f'"{low[0]}" ({_of_one_length(low[1:], high[1:])})'
    first, last = int(low[0]), int(high[0])
    parts, end = [], []
    if low[1:] != "0" * rest:
        parts.append(f'"{first}" ({_of_one_length(low[1:], "9" * rest)})')
        first += 1
    if high[1:] != "9" * rest:
        end.append(f'"{last}" ({_of_one_length("0" * rest, high[1:])})')
        last -= 1
    if first <= last:
        parts.append(f"[{first}-{last}] [0-9]{{{rest}}}")
    return " | ".join(parts + end)
