"""Whether the terminal can show real pictures: asked once, with a time limit, before anything else reads from it."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

# Seconds. Every terminal answers what it is; one that is silent for so long is none, or at the end of a slow line.
_LIMIT = 0.5
# A picture of one pixel by kitty's protocol, the size of a cell, and at last what terminal this is (DA1).
_KITTY = "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"
_CELL, _IDENTITY = "\x1b[16t", "\x1b[c"
_IDENTITY_ANSWER = re.compile(rb"\x1b\[\?([0-9;]*)c")
_CELL_ANSWER = re.compile(rb"\x1b\[6;(\d+);(\d+)t")
# Attribute 4 of DA1 is sixel.
_SIXEL = b"4"
# Multiplexers take kitty's question for a title.
_MULTIPLEXERS = ("screen", "tmux")
_SILENT = ("", "dumb", "linux", "unknown")


@dataclass(frozen=True)
class Graphics:
    """How pictures are shown, and the size of a cell in pixels."""

    protocol: Literal["kitty", "sixel", "blocks"] = "blocks"
    cell: tuple[int, int] = (10, 20)

    @property
    def pixels(self) -> tuple[int, int]:
        """Return the pixels of a cell that a picture can use; half blocks hold two, one above the other."""
        return (1, 2) if self.protocol == "blocks" else self.cell


BLOCKS = Graphics()


def ask_terminal(limit: float = _LIMIT, environment: Mapping[str, str] = os.environ) -> Graphics:
    """Ask the terminal on stdin and stdout what it can show; half blocks where it does not say in time."""
    terminal = environment.get("TERM", "")
    if sys.platform == "win32" or terminal in _SILENT or "NO_COLOR" in environment:
        return BLOCKS
    multiplexed = terminal.startswith(_MULTIPLEXERS) or "TMUX" in environment or "STY" in environment
    question = ("" if multiplexed else _KITTY) + _CELL + _IDENTITY
    answer = _ask(sys.stdin.fileno(), sys.stdout.fileno(), question.encode(), limit)
    return read_answer(answer)


def read_answer(answer: bytes) -> Graphics:
    """Return what a terminal's answers mean."""
    identity, cell = _IDENTITY_ANSWER.search(answer), _CELL_ANSWER.search(answer)
    size = (int(cell[2]), int(cell[1])) if cell else BLOCKS.cell
    if identity is None or not all(1 <= side <= 200 for side in size):
        return BLOCKS
    # Terminals that know both know sixel better: of kitty's protocol they lack the placeholders that scroll with text.
    if _SIXEL in identity[1].split(b";")[1:]:
        return Graphics("sixel", size)
    return Graphics("kitty", size) if b"\x1b_Gi=31;OK" in answer else BLOCKS


def _ask(source: int, target: int, question: bytes, limit: float) -> bytes:
    import select

    answer, deadline = b"", time.monotonic() + limit
    with _unbuffered(source):
        os.write(target, question)
        while not _IDENTITY_ANSWER.search(answer):
            ready, _, _ = select.select([source], [], [], max(deadline - time.monotonic(), 0))
            piece = os.read(source, 4096) if ready else b""
            if not piece:
                break
            answer += piece
    return answer


@contextmanager
def _unbuffered(source: int) -> Iterator[None]:
    import termios
    import tty

    before = termios.tcgetattr(source)
    try:
        # The answer is neither shown nor held back until Enter.
        tty.setcbreak(source, termios.TCSANOW)
        yield
    finally:
        termios.tcsetattr(source, termios.TCSANOW, before)
