"""What a conversion will take, said before the first byte is written."""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from edgekit.convert.tasks import Task, in_order, threads

# How often a kind of task is tried: other programs run too, and the middle one of three is not thrown far by them.
_TRIALS = 3
# Tasks in a trial, for each thread: starting the threads must not count for much.
_TRIED = 2
# A kind is tried only where it is this many times as much work as all its trials.
_WORTH = 8
# With fewer bytes to read, starting a task takes longer than the work.
_SMALL = 1 << 16


@dataclass(frozen=True)
class Preflight:
    """What a conversion will take; sizes in bytes."""

    # Anonymous memory, at most.
    memory: int
    # What is written, and what is free where it is written.
    disk: int
    free: int
    # How many tensors are written.
    tensors: int
    # Wall time as blocks of this checkpoint took it; None for what is done in a moment. Slow disks take longer.
    seconds: float | None


# Hears it.
Announce = Callable[[Preflight], None]


def tell_nobody(preflight: Preflight) -> None:
    """Keep it to oneself."""


def expected_seconds(tasks: Sequence[Task], room: int) -> float | None:
    """Return how long tasks will take, by doing a few of each kind; None where there are too few to tell.

    Trying takes at most an eighth of the time, and a fraction of a second for all but the slowest quantizations.
    """
    kinds: dict[Hashable, list[Task]] = defaultdict(list)
    for task in tasks:
        if task.bytes >= _SMALL:
            kinds[task.kind].append(task)
    seconds = tried = 0.0
    count = threads() * _TRIED
    for found in kinds.values():
        if len(found) >= _WORTH * _TRIALS * count:
            amount = sum(task.bytes for task in found)
            seconds += median(_rates(found, count, room)) * amount
            tried += amount
    total = sum(task.bytes for task in tasks)
    # What was not tried is a rest of small tensors, or the whole is small.
    return seconds * total / tried if tried > total / 2 else None


def _rates(tasks: Sequence[Task], count: int, room: int) -> Iterator[float]:
    """Yield the seconds for each byte read, in several places, as `count` tasks take them."""
    for trial in range(_TRIALS):
        begin = (2 * trial + 1) * len(tasks) // (2 * _TRIALS)
        sample = tasks[begin : begin + count]
        start = time.perf_counter()
        for pieces in in_order(sample, room):
            for data in pieces.data:
                hashlib.sha256(data).digest()
        yield (time.perf_counter() - start) / sum(task.bytes for task in sample)
