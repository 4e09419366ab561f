"""What terminals answer when they are asked about pictures, and terminals that do not."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
import time
from contextlib import suppress

import pytest

from edgekit import paths
from edgekit.tui.graphics import BLOCKS, Graphics, read_answer

_LIMIT = 60.0
_ASK = """
import sys
from edgekit.tui.graphics import ask_terminal
found = ask_terminal(limit=float(sys.argv[1]))
print("found", found.protocol, *found.cell, flush=True)
print("typed", sys.stdin.readline().strip(), flush=True)
"""
# What each says to DA1 and to the question for the size of a cell; kitty also answers its own question.
KITTY = b"\x1b_Gi=31;OK\x1b\\\x1b[6;18;8t\x1b[?62;c"
FOOT = b"\x1b[6;20;10t\x1b[?62;4;22;28;29c"
WEZTERM = b"\x1b_Gi=31;OK\x1b\\\x1b[6;24;12t\x1b[?65;4;6;18;22;52c"
XTERM = b"\x1b[6;13;6t\x1b[?64;1;2;6;9;15;16;17;18;21;22;28c"
LINUX_LIKE = b"\x1b[?6c"
NO_SIZE = b"\x1b[?62;4c"


@pytest.mark.parametrize(
    ("answer", "graphics"),
    [
        (KITTY, Graphics("kitty", (8, 18))),
        (FOOT, Graphics("sixel", (10, 20))),
        (WEZTERM, Graphics("sixel", (12, 24))),
        (XTERM, BLOCKS),
        (LINUX_LIKE, BLOCKS),
        (NO_SIZE, Graphics("sixel", BLOCKS.cell)),
        (b"", BLOCKS),
        (b"hello", BLOCKS),
        (b"\x1b[6;0;0t\x1b[?62;4c", BLOCKS),
        (b"\x1b[6;99999;9t\x1b[?62;4c", BLOCKS),
        (b"\x1b_Gi=31;ENOTSUP\x1b\\\x1b[6;18;8t\x1b[?62;c", BLOCKS),
        # 64 is a level and 14 an attribute: neither is sixel.
        (b"\x1b[6;18;8t\x1b[?4;14;24c", BLOCKS),
    ],
)
def test_answers_are_understood(answer: bytes, graphics: Graphics) -> None:
    assert read_answer(answer) == graphics


class FakeTerminal:
    """The other end of a pseudo terminal, 80x24: answers in pieces once it is asked."""

    def __init__(self, answer: bytes, *command: str, **environment: str) -> None:
        self.heard = b""
        self._master, self._slave = pty.openpty()
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self._answer = answer
        kept = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "TMUX", "STY")}
        self.process = subprocess.Popen(
            [sys.executable, *command],
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            env=kept | {"TERM": "xterm-256color"} | environment,
        )
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def echoes(self) -> bool:
        """Whether typed text is shown, as a shell wants it."""
        return bool(termios.tcgetattr(self._slave)[3] & termios.ECHO)

    def type(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def hears(self, text: bytes) -> None:
        """Wait until something was written to the terminal."""
        deadline = time.monotonic() + _LIMIT
        while text not in self.heard:
            assert time.monotonic() < deadline, self.heard[-2000:]
            time.sleep(0.02)

    def _listen(self) -> None:
        answered = False
        # Reading ends with an error when the other side is closed.
        with suppress(OSError):
            while piece := os.read(self._master, 4096):
                self.heard += piece
                if b"\x1b[c" in self.heard and not answered:
                    answered = True
                    self._say()

    def _say(self) -> None:
        for start in range(0, len(self._answer), 3):
            os.write(self._master, self._answer[start : start + 3])


def _asked(answer: bytes, limit: float = _LIMIT, **environment: str) -> FakeTerminal:
    """Ask a terminal, then type into it: what is typed comes in whole."""
    terminal = FakeTerminal(answer, "-c", _ASK, str(limit), **environment)
    terminal.hears(b"found")
    assert terminal.echoes
    terminal.type(b"a question\n")
    terminal.hears(b"typed a question")
    assert terminal.process.wait(_LIMIT) == 0
    return terminal


@pytest.mark.parametrize(
    ("answer", "found"), [(KITTY, b"kitty 8 18"), (FOOT, b"sixel 10 20"), (XTERM, b"blocks 10 20")]
)
def test_a_terminal_that_answers(answer: bytes, found: bytes) -> None:
    assert b"found " + found in _asked(answer).heard


def test_a_silent_terminal_is_not_waited_for() -> None:
    assert b"found blocks 10 20" in _asked(b"", limit=0.3).heard


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"TERM": "linux"}, {"NO_COLOR": "1"}])
def test_terminals_that_are_not_asked(environment: dict[str, str]) -> None:
    heard = _asked(KITTY, **environment).heard
    assert b"found blocks" in heard
    assert b"\x1b" not in heard


@pytest.mark.parametrize("environment", [{"TMUX": "/tmp/tmux"}, {"TERM": "screen-256color"}, {"STY": "1.pts"}])
def test_multiplexers_are_not_given_a_title(environment: dict[str, str]) -> None:
    heard = _asked(FOOT, **environment).heard
    assert b"found sixel" in heard
    assert b"\x1b_G" not in heard


@pytest.mark.parametrize(
    ("answer", "drawn"),
    [(KITTY, b",f=100,"), (FOOT, b"\x1bP0;"), (XTERM, "▀".encode())],
    ids=["kitty", "sixel", "blocks"],
)
def test_a_picture_is_drawn_as_the_terminal_can(answer: bytes, drawn: bytes, environment: dict[str, str]) -> None:
    picture = paths.demo_samples() / "red-circle.png"
    kept = {key: value for key, value in environment.items() if key != "NO_COLOR"}
    terminal = FakeTerminal(answer, "-m", "edgekit", "chat", "demo", "--image", str(picture), **kept)
    terminal.hears(b"Ask something")
    terminal.type(b"What is this?\r")
    terminal.hears(drawn)
    terminal.type(b"\x11")
    assert terminal.process.wait(_LIMIT) == 0
    assert terminal.echoes
