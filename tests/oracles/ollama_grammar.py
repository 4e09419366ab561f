"""Reads a Modelfile as Ollama's parser does (parser/parser.go), or refuses it."""

from __future__ import annotations

import re

INSTRUCTIONS = {
    *("FROM", "LICENSE", "TEMPLATE", "SYSTEM", "ADAPTER", "DRAFT"),
    *("RENDERER", "PARSER", "PARAMETER", "MESSAGE", "REQUIRES"),
}
# api.Options and api.Runner, by type.
PARAMETERS = {
    **dict.fromkeys(
        ("num_ctx", "num_batch", "num_predict", "top_k", "repeat_last_n", "seed", "draft_num_predict"), int
    ),
    **dict.fromkeys(("top_p", "min_p", "temperature", "repeat_penalty"), float),
    "stop": str,
}


def parse(text: str) -> list[tuple[str, str]]:
    """Return the instructions with their values; raises ValueError where Ollama would refuse the file."""
    found: list[tuple[str, str]] = []
    rest = text
    while rest := rest.lstrip(" \t\r\n"):
        if rest.startswith("#"):
            rest = _after_line(rest)
            continue
        name = re.match(r"[A-Za-z]+", rest)
        if not name or name[0].upper() not in INSTRUCTIONS:
            raise ValueError(f"no instruction: {rest[:30]!r}")
        value, rest = _value(rest[name.end() :].lstrip(" \t"))
        found.append((name[0].upper(), value))
    if not any(name == "FROM" for name, _ in found):
        raise ValueError("no FROM line")
    for name, value in found:
        if name == "PARAMETER":
            key, _, number = value.partition(" ")
            PARAMETERS[key](number)
    return found


def _value(rest: str) -> tuple[str, str]:
    for quotes in ('"""', '"'):
        if rest.startswith(quotes):
            # There are no escapes: the first closing quotes end the value.
            inside, closing, after = rest[len(quotes) :].partition(quotes)
            line, _, after = after.partition("\n")
            if not closing or line.strip():
                raise ValueError(f"unexpected end of {rest[:30]!r}")
            return inside, after
    line, _, after = rest.partition("\n")
    return line.strip(), after


def _after_line(rest: str) -> str:
    return rest.partition("\n")[2]
