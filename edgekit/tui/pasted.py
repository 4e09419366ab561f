"""Files that were dropped on the terminal: it pastes their paths."""

from __future__ import annotations

import shlex
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Instead of a path behind /attach: nothing goes with the next question any more.
NO_FILES = "none"


def pasted_files(text: str) -> list[Path]:
    """Return the files whose paths the text is made of; none where any word is no file."""
    whole = as_path(text.strip())
    if _is_file(whole):
        return [whole]
    try:
        words = shlex.split(text)
    except ValueError:
        return []
    paths = [as_path(word) for word in words]
    return paths if all(map(_is_file, paths)) else []


def as_path(word: str) -> Path:
    """Return the path that a person means: ~ is the home folder, file:// addresses are taken too."""
    if word.startswith("file://"):
        # What is no address is a name.
        with suppress(ValueError):
            return Path(unquote(urlsplit(word).path))
    path = Path(word)
    # A home folder of nobody.
    with suppress(RuntimeError):
        return path.expanduser()
    return path


def _is_file(path: Path) -> bool:
    # A single word like "notes" that happens to be a file's name here is a word, not a drop.
    try:
        return path.is_absolute() and path.is_file()
    except (OSError, ValueError):
        return False
