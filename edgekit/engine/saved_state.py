"""What a model has read, on disk: a conversation that is opened again goes on without reading it all anew."""

from __future__ import annotations

import json
from hashlib import sha256
from itertools import groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit import paths
from edgekit.engine.cache import Cache, Entry

if TYPE_CHECKING:
    from edgekit.fit.plan import Plan

# In bytes; states used last are dropped last.
ROOM = 4 << 30
# Bytes a second that any disk takes; an SD card's speed.
_DISK_SPEED = 40e6


class SavedStates:
    """The states of one engine's cache, by the names of conversations."""

    def __init__(self, cache: Cache, plan: Plan) -> None:
        self._cache = cache
        self._folder = paths.cache_directory() / "states"
        self._made_by = _identity(plan)

    def save(self, name: str, tokens_per_second: float) -> bool:
        """Keep what the cache holds, where reading it back is faster than computing it again; returns whether it is.

        `tokens_per_second` is the speed of prefill.
        """
        if not self._is_worth_it(tokens_per_second):
            return False
        state, record = self._files(name)
        part = state.with_suffix(".part")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            record.unlink(missing_ok=True)
            if not self._cache.write_state(part):
                return False
            content = {"made_by": self._made_by, "entries": _packed(self._cache.entries), "sha256": _digest(part)}
            part.replace(state)
            unfinished = record.with_suffix(".json.part")
            unfinished.write_text(json.dumps(content), encoding="utf-8")
            # The record comes last: a state without one is not read.
            unfinished.replace(record)
            self._make_room()
        except OSError:
            return False
        finally:
            part.unlink(missing_ok=True)
        return True

    def load(self, name: str) -> bool:
        """Put a kept state into the cache; returns whether there is one of this model that is whole and fits."""
        state, record = self._files(name)
        try:
            content = json.loads(record.read_text(encoding="utf-8"))
            entries = _unpacked(content["entries"])
            if content["made_by"] != self._made_by or len(entries) > self._cache.size:
                return False
            # llama.cpp trusts what it reads.
            if content["sha256"] != _digest(state):
                return False
        except (OSError, ValueError, KeyError, TypeError):
            return False
        return self._cache.read_state(state, entries)

    def forget(self, name: str) -> None:
        """Delete a state; harmless where there is none."""
        for file in reversed(self._files(name)):
            file.unlink(missing_ok=True)

    def _is_worth_it(self, tokens_per_second: float) -> bool:
        if not len(self._cache) or tokens_per_second <= 0:
            return False
        return self._cache.state_bytes() / _DISK_SPEED < len(self._cache) / tokens_per_second

    def _files(self, name: str) -> tuple[Path, Path]:
        return self._folder / f"{name}.state", self._folder / f"{name}.json"

    def _make_room(self) -> None:
        states = sorted(self._folder.glob("*.state"), key=lambda file: file.stat().st_mtime, reverse=True)
        used = 0
        for state in states:
            used += state.stat().st_size
            if used > ROOM and state != states[0]:
                self.forget(state.stem)


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
