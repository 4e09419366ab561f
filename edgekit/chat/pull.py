"""Bring a model here: every file whole and right, or nothing that could be taken for a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgekit import paths
from edgekit.chat.damaged import discard, is_whole
from edgekit.chat.wanted import Wanted
from edgekit.convert.disk import free_space
from edgekit.convert.lmstudio import models_folder
from edgekit.convert.sizes import size
from edgekit.errors import DoesNotFitError, FileError
from edgekit.hub.cache import publish
from edgekit.hub.elsewhere import adopt
from edgekit.hub.remote import RemoteFile
from edgekit.hub.transfer import Report, fetch, unfinished

How = Literal["here", "linked", "downloaded"]


@dataclass(frozen=True)
class Arrival:
    """How far a pull has come, in bytes."""

    file: RemoteFile
    done: int
    # Of all files together.
    all_done: int
    all_bytes: int
    # What is waited for, if anything.
    text: str = ""


@dataclass(frozen=True)
class Pulled:
    """A file that is here now, and how it came."""

    file: RemoteFile
    path: Path
    how: How
    # The other program's file that it is linked to.
    source: Path | None = None


Watch = Callable[[Arrival], None]


def pull(wanted: Wanted, watch: Watch) -> list[Pulled]:
    """Bring every file of a model into the Hugging Face cache; the names under which it loads come last of all.

    What Ollama, LM Studio or another repository holds already is linked, what is here and damaged comes anew. Raises
    DoesNotFitError before the first byte where the disk has too little room, and what the Hub refuses as an
    EdgekitError.
    """
    came = {file: found for file in wanted.files if (found := _found(file, wanted, watch))}
    missing = [file for file in wanted.files if file not in came]
    for file in missing:
        discard(file)
    _check_room(missing)
    for file in missing:
        fetch(file, _reports(file, wanted, watch))
    return [
        Pulled(file, path, *came.get(file, ("downloaded", None)))
        for file, path in zip(wanted.files, publish(list(wanted.files)), strict=True)
    ]


def to_download(wanted: Wanted) -> int:
    """Return the bytes of a model that are not in the cache yet, or damaged."""
    return sum(file.bytes - _kept(file) for file in wanted.files if not is_whole(file))


def _found(file: RemoteFile, wanted: Wanted, watch: Watch) -> tuple[How, Path | None] | None:
    if is_whole(file):
        return "here", None
    report = _reports(file, wanted, watch)
    source = adopt(file, _lm_studio(), lambda done: report(done, "found on this machine: checking it"))
    return ("linked", source) if source else None


def _reports(file: RemoteFile, wanted: Wanted, watch: Watch) -> Report:
    total = sum(one.bytes for one in wanted.files)
    before = sum(one.bytes for one in wanted.files[: wanted.files.index(file)])
    return lambda done, text: watch(Arrival(file, done, before + done, total, text))


def _lm_studio() -> list[Path]:
    try:
        return [models_folder()]
    except FileError:
        return []


def _kept(file: RemoteFile) -> int:
    partial = unfinished(file)
    return min(partial.stat().st_size, file.bytes) if partial.is_file() else 0


def _check_room(missing: list[RemoteFile]) -> None:
    folder = paths.models_directory()
    needed, free = sum(file.bytes - _kept(file) for file in missing), free_space(folder)
    if needed > free:
        raise DoesNotFitError(
            f"{size(needed)} are to come and the disk of {folder} has {size(free)} free: free some (`edgekit models` "
            "lists what is there), or name a folder on another disk with HF_HUB_CACHE"
        )
