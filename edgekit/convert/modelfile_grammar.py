"""Ollama's Modelfile grammar, read and written as its own parser does (parser/parser.go)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from edgekit.errors import UnsupportedError

INSTRUCTIONS = (
    *("FROM", "LICENSE", "TEMPLATE", "SYSTEM", "ADAPTER", "DRAFT"),
    *("RENDERER", "PARSER", "PARAMETER", "MESSAGE", "REQUIRES"),
)
ROLES = ("system", "user", "assistant")
# api.Options and api.Runner, by type; others are refused.
_KINDS = {
    **dict.fromkeys(("num_ctx", "num_batch", "num_gpu", "main_gpu", "num_thread", "num_keep", "num_predict"), int),
    **dict.fromkeys(("draft_num_predict", "seed", "top_k", "repeat_last_n"), int),
    **dict.fromkeys(("temperature", "top_p", "min_p", "typical_p", "repeat_penalty"), float),
    **dict.fromkeys(("presence_penalty", "frequency_penalty"), float),
    "use_mmap": bool,
    # May stand in several lines.
    "stop": str,
}
_TRUE, _FALSE = ("1", "t", "T", "TRUE", "true", "True"), ("0", "f", "F", "FALSE", "false", "False")
_SHOWN = 60

Value = int | float | bool | str


def read(text: str) -> list[tuple[str, str]]:
    """Return instructions with their values; a parameter's name or a role stands before its value.

    Raises UnsupportedError with the line where Ollama would refuse the text.
    """
    found: list[tuple[str, str]] = []
    rest = text.removeprefix("\ufeff")
    while rest := rest.lstrip(" \t\r\n"):
        if rest.startswith("#"):
            rest = _after_line(rest)
            continue
        # What no printer prints is dropped everywhere, but within a name it is an error.
        name, rest = _word(rest if rest[0].isprintable() else rest[1:], r"[A-Za-z]+")
        if name.upper() not in INSTRUCTIONS:
            raise UnsupportedError(f"there is no instruction {name[:_SHOWN]!r}")
        words = []
        if name.upper() in ("PARAMETER", "MESSAGE"):
            word, rest = _word(rest, r"\w+" if name.upper() == "PARAMETER" else r"[A-Za-z]+")
            words.append(word)
            if name.upper() == "MESSAGE" and word not in ROLES:
                raise UnsupportedError(f"a message's role is {', '.join(ROLES)}, not {word!r}")
        value, rest = _value(rest)
        found.append((name.upper(), " ".join([*words, value])))
    if not any(name == "FROM" for name, _ in found):
        raise UnsupportedError("it has no FROM line")
    return found


def written(text: str, *, quoted: bool = False) -> str:
    """Return a value as it has to stand behind an instruction, or with quotes although it need not.

    Raises UnsupportedError where there is no way to write it.
    """
    if not quoted and not dropped(text) and re.fullmatch(r'[^"\s]([^\r\n]*\S)?', text):
        return text
    if any(line.endswith('"""') for line in _beginnings(text)):
        raise UnsupportedError('a line of a text in a Modelfile cannot end with """: Ollama has no way to write it')
    return f'"""{text}"""'


def dropped(text: str) -> str:
    """Return the characters that Ollama's reader leaves out of a text without a word, each once."""
    return "".join(sorted({letter for letter in text if not _is_kept(letter)}))


def parameter(name: str, value: str) -> Value:
    """Return a parameter's value in its type; raises UnsupportedError for one that Ollama would refuse."""
    kind = _KINDS.get(name)
    if kind is None:
        raise UnsupportedError(f"Ollama knows no parameter {name!r}: there are {', '.join(sorted(_KINDS))}")
    if kind is bool and value in (*_TRUE, *_FALSE):
        return value in _TRUE
    try:
        if kind is int and re.fullmatch(r"[+-]?\d+", value, re.ASCII):
            return int(value)
        # Go reads nan, too, and then cannot send it on as JSON.
        if kind is float and math.isfinite(number := float(value)):
            return number
    except ValueError:
        pass
    if kind is str and value:
        return value
    raise UnsupportedError(f"{name} is {'a text' if kind is str else f'of type {kind.__name__}'}, not {value!r}")


def _is_kept(letter: str) -> bool:
    return letter.isprintable() or letter in "\t\r\n"


def _beginnings(text: str) -> Iterator[str]:
    # Where a line ends, Ollama looks whether what it has so far ends with quotes, white space aside.
    kept = "".join(filter(_is_kept, text))
    for end in re.finditer(r"[\r\n]", kept):
        yield kept[: end.start()].rstrip()


def _word(rest: str, pattern: str) -> tuple[str, str]:
    word = re.match(rf"({pattern})[ \t]", rest, re.ASCII)
    if not word:
        raise UnsupportedError(f"it has the line {rest.partition(chr(10))[0][:_SHOWN]!r}")
    return word[1], rest[word.end() :]


def _value(rest: str) -> tuple[str, str]:
    """Return a value and what follows: it goes on over line ends until quotes that it began with are closed."""
    ends = [match.start() for match in re.finditer(r"[\r\n]", rest)]
    for end in (*ends, len(rest)):
        found = _unquoted("".join(filter(_is_kept, rest[:end])).strip())
        if found is not None:
            return found, rest[end:]
    raise UnsupportedError(f"it has no end of the text that begins with {rest[:_SHOWN]!r}")


def _unquoted(text: str) -> str | None:
    """Return what stands between quotes; None where they are open."""
    for quotes in ('"""', '"'):
        if text.startswith(quotes):
            closed = len(text) >= 2 * len(quotes) and text.endswith(quotes)
            return text[len(quotes) : -len(quotes)] if closed else None
    return text


def _after_line(rest: str) -> str:
    found = re.search(r"[\r\n]", rest)
    return rest[found.end() :] if found else ""
