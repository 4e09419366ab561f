"""Leaving in order when the process is told to end, or its terminal is gone."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType


def on_ending(leave: Callable[[], object]) -> None:
    """Call `leave` in the running event loop on SIGTERM and SIGHUP, so that no terminal stays in full-screen mode."""
    loop = asyncio.get_running_loop()

    def hang_up(_number: int, _frame: FrameType | None) -> None:
        _write_to_nowhere()
        loop.call_soon_threadsafe(leave)

    # Windows has no such handlers.
    with suppress(NotImplementedError):
        loop.add_signal_handler(signal.SIGTERM, leave)
        # At once, not by the loop: the kernel sends SIGCONT with it, on which Textual starts a second writing thread.
        # It would die of the terminal that is gone, and leaving would wait for it for ever.
        signal.signal(signal.SIGHUP, hang_up)


def _write_to_nowhere() -> None:
    if sys.__stderr__ is not None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.__stderr__.fileno())
        os.close(nowhere)


def has_shell() -> bool:
    """Return whether a shell started this, that can wake it up again; a console's unit and a container have none."""
    return sys.platform == "win32" or os.getsid(0) != os.getpid()
