"""Write edgekit's manual page from its command line, so that neither says what the other does not.

Usage: python packaging/man_page.py > edgekit.1
"""

from __future__ import annotations

import re
from typing import Any

_FILES = (
    ("~/.cache/edgekit", "what can be made again: timings of this machine, which files llama.cpp has opened before"),
    ("~/.local/share/edgekit", "conversations, and the pictures and sounds in them"),
    ("~/.config/edgekit/chat.toml", "theme and keys of the chat"),
    ("~/.cache/huggingface/hub", "downloaded models"),
)
_CODES = (("0", "done"), ("1", "could not; one line on stderr says why and what to do"), ("2", "wrong usage"))


def page() -> str:
    """Return the manual page in troff's man macros."""
    import typer

    from edgekit import __version__
    from edgekit.cli.app import app

    root: Any = typer.main.get_command(app)
    context = root.context_class(root, info_name="edgekit")
    lines = [f'.TH EDGEKIT 1 "" "edgekit {__version__}" "User Commands"', ".SH NAME"]
    lines += [
        r"edgekit \- Gemma 4 on the machine you already have",
        ".SH SYNOPSIS",
        ".B edgekit",
        _usage(root, context),
    ]
    lines += [".SH DESCRIPTION", *_paragraphs(root.help), ".SH OPTIONS", *_options(root, context), ".SH COMMANDS"]
    for name in root.list_commands(context):
        lines += _command(f"edgekit {name}", root.get_command(context, name), context)
    lines += _table("EXIT STATUS", _CODES)
    lines += _table("FILES", _FILES)
    return "\n".join([*lines, ""])


def _command(name: str, command: Any, parent: Any) -> list[str]:  # noqa: ANN401 - Typer ships its own, private Click
    context = command.context_class(command, info_name=name.rpartition(" ")[2], parent=parent)
    lines = [f'.SS "{_escaped(name)}"', f".B {_escaped(name)}", _usage(command, context), ".PP"]
    lines += [*_paragraphs(command.help), *_options(command, context)]
    for inner in getattr(command, "commands", {}):
        lines += _command(f"{name} {inner}", command.get_command(context, inner), context)
    return lines


def _usage(command: Any, context: Any) -> str:  # noqa: ANN401
    return _escaped(" ".join(command.collect_usage_pieces(context)))


def _options(command: Any, context: Any) -> list[str]:  # noqa: ANN401
    records = [record for one in command.get_params(context) if (record := one.get_help_record(context))]
    return [line for term, text in records for line in (".TP", f".B {_escaped(term)}", _escaped(text) or r"\&")]


def _paragraphs(text: str | None) -> list[str]:
    # \b and \f are Click's own marks: "do not wrap", and "the rest is not for users".
    parts = (text or "").partition("\f")[0].split("\n\n")
    return [line for part in parts for line in (".PP", _escaped(" ".join(part.replace("\b", "").split())))]


def _table(title: str, rows: tuple[tuple[str, str], ...]) -> list[str]:
    return [
        f'.SH "{title}"',
        *(line for term, text in rows for line in (".TP", f".B {_escaped(term)}", _escaped(text))),
    ]


def _escaped(text: str) -> str:
    # A line that begins with a dot or an apostrophe would be a request; a bare hyphen is set as a dash.
    found = re.sub(r"\s+", " ", text.strip()).replace("\\", r"\e").replace("-", r"\-").replace("~", r"\(ti")
    return re.sub(r"^(?=[.'])", r"\&", found)


if __name__ == "__main__":
    print(page(), end="")
