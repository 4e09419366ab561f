"""Tensors of graphs, read block by block from the checkpoint and written to the places that they have in data files."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from edgekit.convert.merging import Merging
from edgekit.convert.onnx.data_files import Place
from edgekit.convert.onnx.encoding import Encoding
from edgekit.convert.plan import TensorPlan
from edgekit.convert.progress import Progress
from edgekit.convert.safetensors import Floats
from edgekit.convert.stream import F16_INFINITE, check_values
from edgekit.convert.tasks import Pieces, Task, in_order
from edgekit.convert.whole_file import WholeFile

# As for GGUF: 1 MiB as float32.
_BLOCK = 1 << 18
# Bytes for each value at work: as float32, divided, rounded and packed; and what a merge adds in double precision.
_PLAIN = 24
_MERGED = 32


@dataclass(frozen=True)
class Stored:
    """Rows `start` to `stop` of a tensor in one graph, in an encoding, and where its parts lie."""

    plan: TensorPlan
    start: int
    stop: int
    encoding: Encoding
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Rows(Task):
    """Rows of one tensor of the checkpoint, for all graphs that have them."""

    plan: TensorPlan
    stored: tuple[Stored, ...]
    merging: Merging
    start: int
    stop: int

    @cached_property
    def bytes(self) -> int:
        """See Task."""
        return sum(weight.bytes for weight in self.plan.weights) * (self.stop - self.start) // self.plan.height

    @cached_property
    def memory(self) -> int:
        """See Task."""
        merged = any(self.merging.touches(weight.name) for weight in self.plan.weights)
        return self.bytes + self._values * (_PLAIN + (_MERGED if merged else 0)) + self.made

    @cached_property
    def made(self) -> int:
        """See Task."""
        return sum(place.bytes for place in self.places)

    @cached_property
    def kind(self) -> Hashable:
        """See Task."""
        touched = tuple(self.merging.touches(weight.name) for weight in self.plan.weights)
        return tuple(one.encoding for one in self.stored), touched

    @cached_property
    def places(self) -> list[Place]:
        """Where what is made goes."""
        return [place for one in self.stored for place in _places(one, self.start, self.stop)]

    def make(self) -> Pieces:
        """Read, merge and encode."""
        rows = self.plan.rows(self.start, self.stop, self.merging.apply)
        check_values(self.plan, rows, self.merging)
        halves = not self.plan.unbounded and any(one.encoding.bits == 16 for one in self.stored)
        too_large = halves and bool(np.abs(rows).max(initial=0) >= F16_INFINITE)
        return Pieces([piece for one in self.stored for piece in self._encoded(one, rows)], too_large)

    def _encoded(self, one: Stored, rows: Floats) -> Sequence[memoryview]:
        first, last = _overlap(one, self.start, self.stop)
        return one.encoding.encode(rows[first - self.start : last - self.start]) if first < last else ()

    @cached_property
    def _values(self) -> int:
        return math.prod(self.plan.shape[1:]) * (self.stop - self.start)


def _overlap(one: Stored, start: int, stop: int) -> tuple[int, int]:
    return max(one.start, start), min(one.stop, stop)


def _places(one: Stored, start: int, stop: int) -> Iterator[Place]:
    first, last = _overlap(one, start, stop)
    if first < last:
        for place in one.places:
            row = place.bytes // (one.stop - one.start)
            yield Place(place.path, place.offset + (first - one.start) * row, (last - first) * row)


def rows(stored: Iterable[Stored], merging: Merging) -> list[Rows]:
    """Cut tensors into blocks of whole rows; one that several graphs have is read once for all."""
    found: dict[Hashable, list[Stored]] = {}
    for one in stored:
        names = tuple(weight.name for weight in one.plan.weights) or one.plan.name
        found.setdefault((names, one.plan.transform), []).append(one)
    made = []
    for group in found.values():
        plan = group[0].plan
        step = plan.height if plan.whole else max(1, _BLOCK // max(1, math.prod(plan.shape[1:])))
        made += [
            Rows(plan, tuple(group), merging, start, min(start + step, plan.height))
            for start in range(0, plan.height, step)
        ]
    return made


def write(tasks: Sequence[Rows], files: Mapping[Path, WholeFile], room: int, progress: Progress) -> list[str]:
    """Write all tensors; returns the names of those with values that float16 writes as infinity."""
    total = sum(task.bytes for task in tasks)
    done = 0
    too_large: dict[str, None] = {}
    for task, pieces in zip(tasks, in_order(tasks, room), strict=True):
        for place, piece in zip(task.places, pieces.data, strict=True):
            files[place.path].place(place.offset, piece)
        if pieces.too_large:
            too_large[task.plan.name] = None
        done += task.bytes
        progress(done, total, task.plan.name)
    return list(too_large)
