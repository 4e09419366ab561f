"""What a model has read, on disk: a conversation that is opened again goes on without reading it all anew."""

from __future__ import annotations

import json
import os
import shutil
import time
from contextlib import suppress
from hashlib import sha256
from itertools import groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit import paths

if TYPE_CHECKING:
    from edgekit.engine.cache import Cache
    from edgekit.engine.prompt import Entry
    from edgekit.fit.plan import Plan

# In bytes; states used last are dropped last.
ROOM = 4 << 30
# Bytes a second that any disk gives; an SD card's speed. Once a state was read here, the speed of that counts.
_DISK_SPEED = 40e6
# Seconds after which nobody writes any more what is still unfinished.
_FORGOTTEN = 3600


class SavedStates:
    """The states of one engine's cache, by the names of conversations."""

    def __init__(self, cache: Cache, plan: Plan) -> None:
        self._cache = cache
        self._folder = _folder()
        self._made_by = _identity(plan)

    def save(self, name: str, tokens_per_second: float) -> bool:
        """Keep what the cache holds, where reading it back is faster than computing it again; returns whether it is.

        `tokens_per_second` is the speed of prefill.
        """
        size, tokens = self._cache.state_bytes(), len(self._cache)
        if not _is_worth_it(self._folder, size, tokens, tokens_per_second):
            return False
        state, record = _files(name)
        # Another process may keep the same conversation.
        part, unfinished = (file.with_suffix(f"{file.suffix}.{os.getpid()}.part") for file in (state, record))
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if shutil.disk_usage(self._folder).free < 2 * size or not self._cache.write_state(part):
                return False
            content = {
                "made_by": self._made_by,
                "entries": _packed(self._cache.entries),
                "tokens_per_second": tokens_per_second,
                "sha256": _digest(part),
            }
            record.unlink(missing_ok=True)
            part.replace(state)
            unfinished.write_text(json.dumps(content), encoding="utf-8")
            # The record comes last: a state without one is not read.
            unfinished.replace(record)
            self._make_room()
        except OSError:
            return False
        finally:
            for file in (part, unfinished):
                file.unlink(missing_ok=True)
        return True

    def load(self, name: str) -> bool:
        """Put a kept state into the cache; returns whether there is one of this model that is whole, fits and pays."""
        state, record = _files(name)
        started = time.perf_counter()
        try:
            content = json.loads(record.read_text(encoding="utf-8"))
            entries = _unpacked(content["entries"])
            if content["made_by"] != self._made_by or len(entries) > self._cache.size:
                return False
            size = state.stat().st_size
            if not _is_worth_it(self._folder, size, len(entries), content["tokens_per_second"]):
                return False
            # llama.cpp trusts what it reads.
            if content["sha256"] != _digest(state):
                return False
        except (OSError, ValueError, KeyError, TypeError):
            return False
        if not self._cache.read_state(state, entries):
            return False
        with suppress(OSError):
            # Used last, dropped last.
            state.touch()
            _speed_file(self._folder).write_text(str(size / (time.perf_counter() - started)), encoding="ascii")
        return True

    def _make_room(self) -> None:
        for left in self._folder.glob("*.part"):
            if time.time() - left.stat().st_mtime > _FORGOTTEN:
                left.unlink(missing_ok=True)
        states = sorted(self._folder.glob("*.state"), key=lambda file: file.stat().st_mtime, reverse=True)
        used = 0
        for state in states:
            used += state.stat().st_size
            if used > ROOM and state != states[0]:
                forget(state.stem)


def forget(name: str) -> None:
    """Delete a state; harmless where there is none."""
    for file in reversed(_files(name)):
        with suppress(OSError):
            file.unlink(missing_ok=True)


def _folder() -> Path:
    return paths.cache_directory() / "states"


def _files(name: str) -> tuple[Path, Path]:
    return _folder() / f"{name}.state", _folder() / f"{name}.json"


def _is_worth_it(folder: Path, size: int, tokens: int, tokens_per_second: float) -> bool:
    return tokens > 0 and tokens_per_second > 0 and size / _disk_speed(folder) < tokens / tokens_per_second


def _disk_speed(folder: Path) -> float:
    """Return how many bytes of a state a second were taken in when one was last: read, checked and copied."""
    try:
        return float(_speed_file(folder).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return _DISK_SPEED


def _speed_file(folder: Path) -> Path:
    return folder / "speed"


def _digest(file: Path) -> str:
    digest = sha256()
    with file.open("rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _packed(entries: Any) -> list[Any]:  # noqa: ANN401 - the shape of JSON
    """Return tokens as they are and media as [digest, first, count]."""
    packed: list[Any] = []
    for digest, run in groupby(entries, key=lambda entry: entry[0] if isinstance(entry, tuple) else None):
        if digest is None:
            packed += run
        else:
            indices = [index for _, index in run]
            # The same picture twice in a row begins at 0 again.
            starts = [place for place, index in enumerate(indices) if not index or not place] + [len(indices)]
            packed += [[digest, indices[start], end - start] for start, end in pairwise(starts)]
    return packed


def _unpacked(packed: list[Any]) -> list[Entry]:
    entries: list[Entry] = []
    for each in packed:
        if isinstance(each, int):
            entries.append(each)
        else:
            digest, first, count = each
            entries += [(str(digest), first + index) for index in range(count)]
    return entries


def _identity(plan: Plan) -> list[Any]:
    """Return what tells a state's maker from others."""
    import llama_cpp

    files = [file for file in (plan.model, plan.projector) if file]
    stats = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    kinds = [plan.cache_type_k, plan.cache_type_v, plan.flash_attention]
    return [llama_cpp.__version__, *[list(each) for each in stats], *kinds]
