"""How much memory this process uses, and how much a conversion may."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nlargest
from pathlib import Path

from edgekit.convert.sizes import size
from edgekit.convert.tasks import Task, at_once, memory_of, threads
from edgekit.errors import DoesNotFitError

DEFAULT_BUDGET = 1_000_000_000
_MIB = 1 << 20
# What starts with the first block: for each thread its stack, ggml's scratch space and the BLAS library's, and what
# the allocator keeps of freed blocks.
_STARTED = 8 * _MIB
_FOR_EACH_THREAD = 6 * _MIB
# What the interpreter and our imports take, with room to spare (45 MiB measured on Linux).
_OWN = 96 * _MIB


@dataclass(frozen=True)
class Budget:
    """The anonymous memory that a conversion may use, in bytes: files that are mapped or cached do not count."""

    total: int
    # What is used however little is done at once.
    base: int
    # What blocks at work take where nothing holds them back.
    blocks: int

    @property
    def room(self) -> int:
        """What blocks at work may take."""
        return self.total - self.base

    @property
    def expected(self) -> int:
        """The most that will be used."""
        return self.base + min(self.room, self.blocks)


@dataclass(frozen=True)
class CallersMemory:
    """What a program that converts through Python holds for itself, in bytes: it is not the conversion's."""

    now: int
    peak: int

    @classmethod
    def before(cls) -> CallersMemory:
        """Measure it before a conversion begins: all beyond what edgekit itself takes to start."""
        return cls(max(0, anonymous_memory() - _OWN), max(0, _used_so_far() - _OWN))


def budget(total: int, tasks: Sequence[Task], kept: int, caller: CallersMemory) -> Budget:
    """Return the budget for tasks beside `kept` bytes; raises DoesNotFitError where the largest does not fit in it."""
    base = anonymous_memory() - caller.now + kept + _STARTED + threads() * _FOR_EACH_THREAD
    # Reading a large vocabulary has taken its share already.
    least = max(base + max((task.memory for task in tasks), default=0), _used_so_far() - caller.peak)
    if total < least:
        # A little more than needed: the process itself is never exactly as large again.
        enough = -(-(least + 8 * _MIB) // 1_000_000)
        raise DoesNotFitError(f"{size(total)} of memory are too little for this conversion: use --memory {enough}M")
    largest = nlargest(at_once(tasks), tasks, key=lambda task: task.memory)
    return Budget(total, base, memory_of(largest))


def anonymous_memory() -> int:
    """Return what the process uses now and could not give back; its resident size where the system tells no more."""
    try:
        return _status("RssAnon:")
    except (OSError, StopIteration):
        import psutil

        return int(psutil.Process().memory_info().rss)


def _used_so_far() -> int:
    try:
        # The kernel keeps the peak of all memory alone; what is mapped from files hardly changes.
        return _status("VmHWM:") - _status("RssFile:") - _status("RssShmem:")
    except (OSError, StopIteration):
        return 0


def peak_memory() -> int:
    """Return the process's largest resident size so far, in bytes; 0 where the system does not say."""
    try:
        # Linux counts a parent's pages into what getrusage reports of its child; this counts the process alone.
        return _status("VmHWM:")
    except (OSError, StopIteration):
        return _from_getrusage()


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def _from_getrusage() -> int:
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # macOS counts in bytes, others in KiB.
    return peak if sys.platform == "darwin" else peak * 1024
