"""Ctrl+C as an event that native code can be stopped by."""

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
