"""Signals: Ctrl+C as an event that native code can be stopped by, and an end that still cleans up."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


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
        if reader.recv(1) == bytes([signal.SIGINT]):
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


class _Terminated(BaseException):
    """SIGTERM has come; like KeyboardInterrupt, nothing that handles errors handles it."""


@contextmanager
def orderly_termination() -> Iterator[None]:
    """Let SIGTERM unwind the body as Ctrl+C does, so that half-made files are removed; then end by that signal."""

    def unwind(*_: object) -> None:
        # A second one must not stop the cleaning up.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise _Terminated

    handler = signal.signal(signal.SIGTERM, unwind)
    try:
        yield
    except _Terminated:
        # Whoever sent it sees the exit status that it always gives.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, handler)
