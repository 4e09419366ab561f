"""One key pressed at a terminal, without Enter."""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_POLL = 0.1


def has_terminal() -> bool:
    """Return whether somebody can be asked: stderr shows the question, and a terminal takes the answer."""
    if not sys.stderr.isatty():
        return False
    try:
        with _terminal():
            return True
    except OSError:
        return False


def one_key(keys: str, show: Callable[[], None], stop: threading.Event) -> str:
    """Show a question and wait for one of `keys`; returns "" where `stop` is set or the terminal ends first."""
    with _terminal() as terminal, _keys_at_once(terminal):
        show()
        while not stop.is_set():
            if not select.select([terminal], [], [], _POLL)[0]:
                continue
            pressed = os.read(terminal, 1).decode("utf-8", "replace").lower()
            if pressed in ("", "\x04"):
                return ""
            if pressed in keys:
                return pressed
    return ""


@contextmanager
def _terminal() -> Iterator[int]:
    if sys.stdin is not None and sys.stdin.isatty():
        yield sys.stdin.fileno()
        return
    # A question through a pipe leaves the keyboard to whoever started the command.
    descriptor = os.open("/dev/tty", os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _keys_at_once(terminal: int) -> Iterator[None]:
    import termios
    import tty

    before = termios.tcgetattr(terminal)
    try:
        # What was typed before the question was shown answers nothing.
        tty.setcbreak(terminal, termios.TCSAFLUSH)
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
