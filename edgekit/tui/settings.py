"""What a person chooses once for every conversation: theme and keys, in a file that they write."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from textual.binding import Binding

from edgekit.errors import EdgekitError, FileError
from edgekit.toml import read_toml
from edgekit.tui.keys import check_keys


@dataclass(frozen=True)
class Settings:
    """The contents of chat.toml; everything has a default."""

    # "dark", "light", "console", or the name of a theme of Textual's.
    theme: str = "dark"
    # Keys by action, several parted by commas.
    keys: dict[str, str] = field(default_factory=dict)


def read_settings(path: Path, bindings: dict[str, Binding], themes: set[str], theme: str = Settings.theme) -> Settings:
    """Return what the file says, `theme` where it names none; FileError names the mistake in one line."""
    if not path.exists():
        return Settings(theme)
    content = read_toml(path)
    try:
        return _settings({"theme": theme, **content}, bindings, themes)
    except EdgekitError as problem:
        raise FileError(f"{path}: {problem}") from None


def _settings(content: dict[str, Any], bindings: dict[str, Binding], themes: set[str]) -> Settings:
    theme, keys = content.pop("theme"), content.pop("keys", {})
    if content:
        raise EdgekitError(f"there is no setting {next(iter(content))!r}: there are theme and [keys]")
    if not isinstance(theme, str) or theme not in themes:
        raise EdgekitError(f"there is no theme {theme!r}: there are {', '.join(sorted(themes))}")
    if not isinstance(keys, dict) or not all(isinstance(one, str) for one in keys.values()):
        raise EdgekitError('[keys] takes lines such as think = "ctrl+t"')
    check_keys(keys, bindings)
    return Settings(theme, keys)
