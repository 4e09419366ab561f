"""What is likely to come next while a person types a command or a path."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from edgekit.chat.demo_model import DEMO_NAMES
from edgekit.chat.settings import SETTINGS
from edgekit.tui.attachment import SUFFIXES
from edgekit.tui.commands import COMMANDS
from edgekit.tui.pasted import as_path

# A folder on a network share or with a million entries must not hold up typing.
_MOST_ENTRIES = 2000


def complete(text: str) -> str:
    """Return what to append to a slash command, or nothing."""
    name, space, argument = text.partition(" ")
    if space and (completer := _ARGUMENTS.get(name)):
        return completer(argument.lstrip())
    if not text.startswith("/") or len(text) < 2:
        return ""
    matches = (command for command in COMMANDS if f"/{command.name}".startswith(text))
    if (match := next(matches, None)) is None:
        return ""
    return f"/{match.name}{' ' if match.waits_for_enter else ''}".removeprefix(text)


def complete_path(typed: str, folder: Path | None = None, suffixes: frozenset[str] = SUFFIXES) -> str:
    """Return what to append to the beginning of a path of a folder or of a file with one of the suffixes."""
    beginning, _, name = typed.rpartition("/")
    if not name:
        return ""
    start = as_path(f"{beginning}/") if "/" in typed else Path()
    found = sorted(_entries((folder or Path()) / start, name, suffixes))
    return found[0].removeprefix(name) if found else ""


def _complete_model(typed: str) -> str:
    return _first(DEMO_NAMES, typed) or complete_path(typed, suffixes=frozenset({".gguf"}))


def _complete_setting(typed: str) -> str:
    return _first([f"{setting.name} " for setting in SETTINGS], typed)


def _first(words: tuple[str, ...] | list[str], typed: str) -> str:
    return next((word.removeprefix(typed) for word in words if typed and word.startswith(typed)), "")


def _entries(folder: Path, beginning: str, suffixes: frozenset[str]) -> list[str]:
    try:
        with os.scandir(folder) as listing:
            entries = [entry for entry, _ in zip(listing, range(_MOST_ENTRIES), strict=False)]
    except (OSError, ValueError):
        return []
    matching = (entry for entry in entries if entry.name.startswith(beginning))
    # The own is_dir of an entry or a Path raises where it may not look: a link to itself, a closed folder.
    found = [f"{entry.name}/" if os.path.isdir(entry.path) else entry.name for entry in matching]  # noqa: PTH112
    return [name for name in found if name.endswith("/") or Path(name).suffix.lower() in suffixes]


_ARGUMENTS: dict[str, Callable[[str], str]] = {
    "/attach": complete_path,
    "/model": _complete_model,
    "/set": _complete_setting,
}
