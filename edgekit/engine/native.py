"""llama.cpp's own library: its bindings, its log and its flag to stop."""

from __future__ import annotations

import _thread
import ctypes
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import llama_cpp.llama_cpp as _llama
import llama_cpp.mtmd_cpp as _mtmd

from edgekit.hardware.build import load_backends

# The bindings declare pointers as plain integers and arrays as what they stand for: types would only mislead.
llama: Any = _llama
mtmd: Any = _mtmd

# GGML_LOG_LEVEL_ERROR; the bindings name no levels.
_ERROR = 4
# llama_decode's status where the stop flag has ended it.
ABORTED = 2
# Seconds between two looks whether what an event is followed for is over.
_POLL = 0.02
_errors: deque[str] = deque(maxlen=40)
_overhearing: list[list[str]] = []


def _hear(level: int, text: bytes, _data: object) -> None:
    line = text.decode("utf-8", "replace")
    for lines in _overhearing:
        lines.append(line)
    if os.environ.get("EDGEKIT_DEBUG"):
        sys.stderr.write(line)
    if level == _ERROR:
        _errors.append(line.strip())


# llama.cpp keeps the pointer: the callback must outlive every model.
_listener = llama.llama_log_callback(_hear)


@cache
def start() -> None:
    """Start llama.cpp once, with its log kept for `complaints` instead of on the screen."""
    llama.llama_log_set(_listener, None)
    mtmd.mtmd_helper_log_set(_listener, None)
    load_backends()
    llama.llama_backend_init()


def forget_complaints() -> None:
    """Drop the errors heard so far: before a step whose failure will be explained."""
    _errors.clear()


def complaints() -> str:
    """Return the first error that llama.cpp logged since `forget_complaints`: later ones only follow from it."""
    return next((line.partition(": ")[2] or line for line in _errors if line), "no reason given")


@contextmanager
def overheard() -> Iterator[list[str]]:
    """Collect every line that llama.cpp logs meanwhile, for numbers that it gives in no other way."""
    lines: list[str] = []
    _overhearing.append(lines)
    try:
        yield lines
    finally:
        _overhearing.remove(lines)


class StoppedError(Exception):
    """A computation ended because the stop flag was set."""


class Progress:
    """Carries how far loading is from native code to Python, and what is raised there past native code, which ends."""

    def __init__(self, on_progress: Callable[[float], None] | None) -> None:
        self._on_progress = on_progress
        self._raised: BaseException | None = None

    def hear(self, fraction: float, _data: object) -> bool:
        """Take a fraction from 0 to 1; returns whether to go on."""
        try:
            if self._on_progress:
                self._on_progress(fraction)
        except BaseException as problem:
            # Native code would lose it.
            self._raised = problem
        return self._raised is None

    def raise_again(self) -> None:
        """Raise what was raised meanwhile."""
        if self._raised is not None:
            raise self._raised


class StopFlag:
    """Ends a running computation from any thread, without Python in between."""

    def __init__(self) -> None:
        self._text = ctypes.create_string_buffer(2)
        # ggml asks between any two operations: a Python callback would wait for the interpreter's lock thousands of
        # times a token. strlen of an empty text is false, of a text of one letter true.
        self.callback = ctypes.cast(ctypes.CDLL(None).strlen, llama.ggml_abort_callback)
        self.data = ctypes.cast(self._text, ctypes.c_void_p)

    def set(self) -> None:
        """Make the running computation end."""
        self._text[0] = b"!"

    def clear(self) -> None:
        """Let computations run again."""
        self._text[0] = b"\0"

    @contextmanager
    def following(self, stop: threading.Event | None) -> Iterator[None]:
        """End the body's computations with llama.cpp's status of an abort once `stop` is set."""
        # A thread carries the event into the flag, so that a batch of any size ends at once.
        if stop is None:
            yield
            return
        lock, over = threading.Lock(), threading.Event()

        def watch() -> None:
            while not over.is_set():
                if stop.wait(_POLL):
                    with lock:
                        if not over.is_set():
                            self.set()
                    return

        # threading.Thread would wait here until the thread has begun: milliseconds of the first word on a busy board.
        _thread.start_new_thread(watch, ())
        try:
            yield
        finally:
            # Waiting for the thread would hold up the first word.
            with lock:
                over.set()
            self.clear()
