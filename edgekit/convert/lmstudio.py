"""Puts converted files where LM Studio looks, without a second copy of them."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgekit.errors import FileError

# LM Studio finds models two folders below its own: publisher, then model. This is who made these.
PUBLISHER = "edgekit"
_GET_IT = "LM Studio was not found here: start it once so that it makes its folder, or leave out --lmstudio"


@dataclass(frozen=True)
class Link:
    """A file in LM Studio's folder that is another's second name."""

    path: Path
    target: Path
    how: Literal["hard link", "symbolic link"]


def models_folder() -> Path:
    """Return the folder of LM Studio's models; raises FileError where LM Studio was never started.

    Source: lms, src/modelsFolder.ts, and findLMStudioHome of lmstudio-js: the home that a pointer names, the older one
    where it exists, or ~/.lmstudio; in it settings.json may name another folder for models.
    """
    home = _home()
    if not home.is_dir():
        raise FileError(_GET_IT)
    with suppress(OSError, ValueError, AttributeError):
        chosen = json.loads((home / "settings.json").read_text(encoding="utf-8")).get("downloadsFolder")
        if isinstance(chosen, str) and Path(chosen).is_absolute():
            return Path(chosen)
    return home / "models"


def _home() -> Path:
    pointer, older = Path.home() / ".lmstudio-home-pointer", Path.home() / ".cache" / "lm-studio"
    with suppress(OSError, ValueError):
        named = pointer.read_text(encoding="utf-8").strip()
        if named:
            return Path(named)
    return older if older.is_dir() else Path.home() / ".lmstudio"


def link(files: Sequence[Path], name: str, models: Path) -> list[Link]:
    """Give a model's files a second name in LM Studio's folder, in place of earlier ones of the same name.

    Raises FileError where the disk knows no links, or something else stands in their place.
    """
    folder = models / PUBLISHER / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [_link(path.resolve(), folder / path.name) for path in files]
    except OSError as problem:
        raise FileError(
            f"{folder} cannot be filled with links ({problem.strerror}): copy the files there yourself"
        ) from problem


def _link(target: Path, path: Path) -> Link:
    if path.exists() and path.samefile(target):
        return Link(path, target, "symbolic link" if path.is_symlink() else "hard link")
    made = path.with_name(f".{path.name}.{os.getpid()}")
    made.unlink(missing_ok=True)
    try:
        how = _make(target, made)
        # An earlier conversion's link gives way at once: LM Studio never sees a model without its file.
        made.replace(path)
    finally:
        made.unlink(missing_ok=True)
    return Link(path, target, how)


def _make(target: Path, made: Path) -> Literal["hard link", "symbolic link"]:
    try:
        # Preferred: it stays whole when the folder of the conversion is deleted.
        made.hardlink_to(target)
    except OSError:
        # Another disk, or one without hard links.
        made.symlink_to(target)
        return "symbolic link"
    return "hard link"
