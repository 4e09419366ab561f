"""What is likely to come next while a person types a command or a path."""

from __future__ import annotations

import os
from pathlib import Path

from edgekit.tui.attachment import SUFFIXES
from edgekit.tui.commands import COMMANDS
from edgekit.tui.pasted import as_path

_ATTACH = "/attach "
# A folder on a network share or with a million entries must not hold up typing.
_MOST_ENTRIES = 2000


def complete(text: str) -> str:
    """Return what to append to a slash command, or nothing."""
    if text.startswith(_ATTACH):
        return complete_path(text.removeprefix(_ATTACH).lstrip())
    if not text.startswith("/") or len(text) < 2:
        return ""
    matches = (command for command in COMMANDS if f"/{command.name}".startswith(text))
    if (match := next(matches, None)) is None:
        return ""
    return f"/{match.name}{' ' if match.argument else ''}".removeprefix(text)


def complete_path(typed: str, folder: Path | None = None) -> str:
    """Return what to append to the beginning of a folder's, picture's or sound's path."""
    beginning, _, name = typed.rpartition("/")
    if not name:
        return ""
    start = as_path(f"{beginning}/") if "/" in typed else Path()
    found = sorted(_entries((folder or Path()) / start, name))
    return found[0].removeprefix(name) if found else ""


def _entries(folder: Path, beginning: str) -> list[str]:
    try:
        with os.scandir(folder) as listing:
            entries = [entry for entry, _ in zip(listing, range(_MOST_ENTRIES), strict=False)]
    except (OSError, ValueError):
        return []
    matching = (entry for entry in entries if entry.name.startswith(beginning))
    return [f"{entry.name}/" if entry.is_dir() else entry.name for entry in matching if _wanted(entry)]


def _wanted(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir() or Path(entry.name).suffix.lower() in SUFFIXES
