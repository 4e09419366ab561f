"""Signals: Ctrl+C as an event that native code can be stopped by, and an end that still cleans up."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Turn Ctrl+C into an event while the body runs.

    Python runs a signal handler only when the main thread comes back from native code, which may take minutes; the
    byte that the interpreter writes for each signal reaches a waiting thread at once.
    """
    stop = threading.Event()
    reader, writer = socket.socketpair()
    writer.setblocking(False)

    def watch() -> None:
        # Every signal that Python handles comes here, a change of the window's size too; nothing is the end.
        while came := reader.recv(1):
            if came == bytes([signal.SIGINT]):
                stop.set()

    watcher = threading.Thread(target=watch, name="edgekit-interrupt", daemon=True)
    watcher.start()
    handler = signal.signal(signal.SIGINT, lambda *_: None)
    wakeup = signal.set_wakeup_fd(writer.fileno())
    try:
        yield stop
    finally:
        signal.set_wakeup_fd(wakeup)
        signal.signal(signal.SIGINT, handler)
        writer.close()
        watcher.join()
        reader.close()


class _EndedError(BaseException):
    """A signal has come; like KeyboardInterrupt, nothing that handles errors handles it."""


@contextmanager
def orderly_termination() -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind the body as Ctrl+C does, so that half-made files go; then end by that signal."""
    came: list[int] = []

    def unwind(number: int, frame: FrameType | None) -> None:
        came.append(number)
        raise _EndedError

    # What is ignored stays so: nohup asks for that.
    wanted = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) != signal.SIG_IGN]
    handlers = {number: signal.signal(number, unwind) for number in wanted}
    try:
        yield
    except _EndedError:
        pass
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if came:
        # Whoever sent it sees the exit status that it always gives.
        signal.signal(came[0], signal.SIG_DFL)
        signal.raise_signal(came[0])
