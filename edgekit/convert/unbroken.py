"""Short work that no signal breaks off in the middle."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# What asks a process to end: Ctrl+C, a service manager, a terminal that is closed.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def unbroken() -> Iterator[None]:
    """Hold back the signals that end a process until the body is done; in the main thread, where Python handles them.

    Blocking them would not do: another thread then takes them, and Python raises in the main one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        came.append(number)

    handlers = {number: signal.signal(number, remember) for number in ENDING if _is_heeded(number)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


def _is_heeded(number: signal.Signals) -> bool:
    # None: a handler that was not set from Python, and could not be set again.
    return signal.getsignal(number) not in (signal.SIG_IGN, None)
