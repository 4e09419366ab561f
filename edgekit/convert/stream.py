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
        weight = self.plan.weight
        return 0 if weight is None else weight.bytes * (self.stop - self.start) // weight.height


def blocks(plans: Sequence[TensorPlan]) -> Iterator[Block]:
    """Cut tensors into blocks of whole rows."""
    for index, plan in enumerate(plans):
        step = max(1, _BLOCK // max(1, math.prod(plan.shape[1:])))
        for start in range(0, plan.height, step):
            yield Block(plan, index, start, min(start + step, plan.height))


def stream(groups: Sequence[tuple[Group, Sequence[GGUFWriter]]], merging: Merging, progress: Progress) -> None:
    """Write every tensor of every group with the group's writers; `progress` counts the bytes read."""
    total = sum(block.bytes for group, _ in groups for block in blocks(group.plans))
    done = 0
    for group, writers in groups:
        for block, pieces in in_order(blocks(group.plans), partial(_make, group=group, merging=merging)):
            for writer, piece in zip(writers, pieces, strict=True):
                writer.write(block.plan.name, piece)
            done += block.bytes
            progress(done, total, block.plan.name)


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


def _make(block: Block, group: Group, merging: Merging) -> list[memoryview]:
    """Return a block's bytes for each of the group's files."""
    plan = block.plan
    if plan.weight is None:
        assert plan.values is not None
        rows = plan.values[block.start : block.stop]
    else:
        rows = merging.apply(plan.weight.name, plan.weight.rows(block.start, block.stop), block.start)
    if plan.transform:
        rows = plan.transform(rows)
    _check_values(plan, rows)
    rows = rows.reshape(block.stop - block.start, *plan.shape[1:])
    return [quantize(target.tensors[block.index].type, rows, _importance(block, target)) for target in group.targets]


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
