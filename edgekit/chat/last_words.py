"""What a child process says on its stderr, for the errors that quote it."""

from __future__ import annotations

import os
import threading
from collections import deque
from typing import TextIO

_LINES, _LONGEST = 20, 200


class LastWords:
    """Reads a child's stderr in a thread of its own, and keeps its last lines."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=_LINES)

    def listen(self) -> TextIO:
        """Return a file for the child's stderr; the thread ends when nobody holds it any more."""
        reading, writing = os.pipe()
        threading.Thread(target=self._read, args=(reading,), name="edgekit-stderr", daemon=True).start()
        return os.fdopen(writing, "w", encoding="utf-8")

    def quoted(self) -> str:
        """Return the last line that says something, to follow an error's text; nothing where there is none."""
        # Copied in one go: the thread may add a line meanwhile.
        said = [line.strip() for line in tuple(self._lines) if line.strip()]
        return f"; it said: {said[-1][:_LONGEST]}" if said else ""

    def _read(self, descriptor: int) -> None:
        with os.fdopen(descriptor, encoding="utf-8", errors="replace") as said:
            for line in said:
                self._lines.append(line)
