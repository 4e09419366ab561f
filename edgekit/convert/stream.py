"""The one pass: rows are read, merged, quantized on all cores and written, in bounded memory."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
from gguf import GGMLQuantizationType as Type

from edgekit.convert.gguf_file import GGUFWriter
from edgekit.convert.merging import Merging
from edgekit.convert.plan import TensorPlan
from edgekit.convert.progress import Progress
from edgekit.convert.quantize import quantize
from edgekit.convert.safetensors import Floats
from edgekit.convert.target import Group, Target
from edgekit.errors import FileError

Item = TypeVar("Item")
Made = TypeVar("Made")

# Values in a block of rows: 4 MiB as float32, a few times that while it is worked on, for each thread. The same on
# every machine, so that a merge rounds alike whatever the number of cores.
_BLOCK = 1 << 20
# Blocks that may wait for the writer, for each thread: keeps all of them busy while a slow one finishes.
_AHEAD = 2
# The first number that F16 rounds to infinity: half a step above its largest, 65504.
_F16_INFINITE = 65520.0


@dataclass(frozen=True)
class Pieces:
    """A block's bytes for each of the group's files."""

    data: list[memoryview]
    # Whether values became infinite in one of them.
    too_large: bool


@dataclass(frozen=True)
class Block:
    """Rows of one tensor."""

    plan: TensorPlan
    index: int
    start: int
    stop: int

    @property
    def bytes(self) -> int:
        """What is read for it."""
        return sum(weight.bytes for weight in self.plan.weights) * (self.stop - self.start) // self.plan.height


def blocks(plans: Sequence[TensorPlan]) -> Iterator[Block]:
    """Cut tensors into blocks of whole rows."""
    for index, plan in enumerate(plans):
        step = plan.height if plan.whole else max(1, _BLOCK // max(1, math.prod(plan.shape[1:])))
        for start in range(0, plan.height, step):
            yield Block(plan, index, start, min(start + step, plan.height))


def stream(groups: Sequence[tuple[Group, Sequence[GGUFWriter]]], merging: Merging, progress: Progress) -> list[str]:
    """Write every tensor of every group with the group's writers; `progress` counts the bytes read.

    Returns the names of tensors with values too large for F16 that were written so.
    """
    total = sum(block.bytes for group, _ in groups for block in blocks(group.plans))
    done = 0
    too_large: dict[str, None] = {}
    for group, writers in groups:
        for block, pieces in in_order(blocks(group.plans), partial(_make, group=group, merging=merging)):
            for writer, piece in zip(writers, pieces.data, strict=True):
                writer.write(block.plan.name, piece)
            if pieces.too_large:
                too_large[block.plan.name] = None
            done += block.bytes
            progress(done, total, block.plan.name)
    return list(too_large)


def in_order(items: Iterable[Item], make: Callable[[Item], Made]) -> Iterator[tuple[Item, Made]]:
    """Yield items with what `make` makes of them on all cores; only a few are made ahead."""
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    pool = ThreadPoolExecutor(threads, thread_name_prefix="convert")
    waiting: deque[tuple[Item, Future[Made]]] = deque()
    try:
        for item in items:
            waiting.append((item, pool.submit(make, item)))
            if len(waiting) > threads * _AHEAD:
                first, future = waiting.popleft()
                yield first, future.result()
        for last, future in waiting:
            yield last, future.result()
    finally:
        # After an error nobody waits for what was not begun.
        pool.shutdown(cancel_futures=True)


def _make(block: Block, group: Group, merging: Merging) -> Pieces:
    plan = block.plan
    rows = plan.rows(block.start, block.stop, merging.apply)
    _check_values(plan, rows)
    types = [target.tensors[block.index].type for target in group.targets]
    too_large = Type.F16 in types and not plan.unbounded and bool(np.abs(rows).max(initial=0) >= _F16_INFINITE)
    data = [quantize(type, rows, _importance(block, target)) for type, target in zip(types, group.targets, strict=True)]
    return Pieces(data, too_large)


def _importance(block: Block, target: Target) -> Floats | None:
    found = target.importance.get(block.plan.name)
    # A matrix has one row for all rows of a tensor; experts, whose rows are matrices, have one each.
    return found if found is None or found.ndim == 1 else found[block.start : block.stop]


def _check_values(plan: TensorPlan, rows: Floats) -> None:
    """Raise FileError where rows hold NaN or infinity; a clipped layer's bound may be infinite."""
    if np.isfinite(rows).all() or (plan.unbounded and not np.isnan(rows).any()):
        return
    name = plan.weight.name if plan.weight else plan.name
    raise FileError(f"{name} holds NaN or infinity: the checkpoint is damaged or its training diverged")
