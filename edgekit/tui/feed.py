"""What a thread produces, as an asynchronous iterator."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")
Emit = Callable[[T], None]


class Feed(Generic[T]):
    """Runs `work(emit)` in a thread of its own and yields what it emits, in order; its exception comes out here."""

    def __init__(self, work: Callable[[Emit[T]], None], name: str) -> None:
        self._work = work
        self._loop = asyncio.get_running_loop()
        # An item, an exception, or None at the end.
        self._queue: asyncio.Queue[tuple[T] | BaseException | None] = asyncio.Queue()
        # A daemon: native code that cannot be interrupted must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether the thread is still at work."""
        return self._thread.is_alive()

    async def __aiter__(self) -> AsyncIterator[T]:
        while (item := await self._queue.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item[0]

    def _run(self) -> None:
        try:
            self._work(lambda item: self._put((item,)))
        except BaseException as problem:
            self._put(problem)
        self._put(None)

    def _put(self, item: tuple[T] | BaseException | None) -> None:
        # The application may be gone by now, and its event loop with it.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._queue.put_nowait, item)
