"""Pieces of a conversion, each made alone: on all cores, in order, within a budget of memory."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Collection, Hashable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from heapq import nlargest

# Tasks that may wait for the writer, for each thread: keeps all of them busy while a slow one finishes.
_AHEAD = 2


@dataclass(frozen=True)
class Pieces:
    """What is made of a task: the bytes for each of its files."""

    data: Sequence[bytes | memoryview]
    # Whether values became infinite in one of them.
    too_large: bool = False


class Task(ABC):
    """A piece of work that needs no other."""

    @property
    @abstractmethod
    def bytes(self) -> int:
        """What is read for it."""

    @property
    @abstractmethod
    def memory(self) -> int:
        """The bytes that it may hold while it is made, its result among them."""

    @property
    @abstractmethod
    def made(self) -> int:
        """The bytes that its result holds until it is written."""

    @property
    @abstractmethod
    def kind(self) -> Hashable:
        """What it shares with tasks that take as long for as many bytes."""

    @abstractmethod
    def make(self) -> Pieces:
        """Do the work."""


def threads() -> int:
    """Return how many tasks can be made at once: the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def at_once(tasks: Sequence[Task]) -> int:
    """Return how many of some tasks may be under way together."""
    return min(len(tasks), threads() * _AHEAD + 1)


def memory_of(tasks: Collection[Task]) -> int:
    """Return the bytes that tasks under way may hold together: as many as there are threads are being made."""
    making = nlargest(threads(), (task.memory - task.made for task in tasks))
    return sum(making) + sum(task.made for task in tasks)


def in_order(tasks: Sequence[Task], room: int) -> Iterator[Pieces]:
    """Yield what is made of tasks on all cores, a few ahead; those under way hold `room` bytes, or are one alone."""
    pool = ThreadPoolExecutor(threads(), thread_name_prefix="convert")
    most = at_once(tasks)
    waiting: deque[tuple[Task, Future[Pieces]]] = deque()
    try:
        for task in tasks:
            while waiting and (len(waiting) == most or memory_of([task, *(one for one, _ in waiting)]) > room):
                # What was yielded is written and gone when the next is asked for.
                yield waiting.popleft()[1].result()
            waiting.append((task, pool.submit(task.make)))
        while waiting:
            yield waiting.popleft()[1].result()
    finally:
        # After an error nobody waits for what was not begun.
        pool.shutdown(cancel_futures=True)
