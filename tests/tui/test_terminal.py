"""The application in a real terminal: tmux types, and reads the screen."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

LIMIT = 90.0


class Terminal:
    """A tmux server of its own with one window."""

    def __init__(self, environment: dict[str, str]) -> None:
        tmux = shutil.which("tmux")
        assert tmux, "tmux is missing: it is the judge of the terminal application (apt-get install tmux)"
        self._tmux = [tmux, "-L", f"edgekit-{uuid.uuid4().hex}", "-f", os.devnull]
        self._environment = environment | {"TERM": "xterm-256color"}

    def start(self, *arguments: object) -> None:
        """Run `edgekit ARGUMENTS...` in 80x24 and leave its exit code on the screen."""
        command = shlex.join([sys.executable, "-m", "edgekit", *map(str, arguments)])
        shell = f"{command}; echo exit code $?; exec cat"
        self._run("new-session", "-d", "-x", "80", "-y", "24", "sh", "-c", shell)

    def screen(self) -> str:
        return self._run("capture-pane", "-p")

    def type(self, text: str) -> None:
        self._run("send-keys", "-l", text)

    def press(self, *keys: str) -> None:
        self._run("send-keys", *keys)

    def paste(self, text: str) -> None:
        """Paste in brackets, as a terminal does with text and with a file that is dropped on it."""
        self._run("set-buffer", text)
        self._run("paste-buffer", "-p")

    def pid(self) -> int:
        return int(self._run("list-panes", "-F", "#{pane_pid}"))

    def resize(self, columns: int, rows: int) -> None:
        self._run("resize-window", "-x", str(columns), "-y", str(rows))

    def sees(self, *texts: str) -> str:
        """Wait until all texts are on the screen, whatever the line breaks; return the screen."""
        deadline = time.monotonic() + LIMIT
        while not all(text in " ".join(self.screen().split()) for text in texts):
            assert time.monotonic() < deadline, f"waited in vain for {texts}:\n{self.screen()}"
            time.sleep(0.1)
        return self.screen()

    def close(self) -> None:
        self._run("kill-server")

    def _run(self, *arguments: str) -> str:
        line = [*self._tmux, *arguments]
        done = subprocess.run(line, capture_output=True, text=True, timeout=LIMIT, env=self._environment, check=True)
        return done.stdout


@pytest.fixture
def terminal(environment: dict[str, str]) -> Iterator[Terminal]:
    terminal = Terminal({key: value for key, value in environment.items() if key not in ("NO_COLOR", "TMUX")})
    yield terminal
    terminal.close()


def test_reads_the_colour_of_a_picture_and_leaves(terminal: Terminal, red_circle: Path) -> None:
    terminal.start("chat", "demo", "--temperature", 0)
    terminal.sees("gemma4-pico Q8_0", "Ask something")
    terminal.type(f"/attach {red_circle}")
    terminal.press("Enter")
    terminal.sees("drawn shape.png · 400x300")
    terminal.type("What is in this picture?")
    terminal.press("Enter")
    terminal.sees("red circle", "decode")
    terminal.resize(40, 12)
    terminal.sees("red circle")
    terminal.press("C-q")
    terminal.sees("exit code 0")


def test_a_dropped_file_is_attached_and_pasted_text_is_text(terminal: Terminal, red_circle: Path) -> None:
    terminal.start("chat", "demo")
    terminal.sees("Ask something")
    terminal.paste(str(red_circle).replace(" ", "\\ "))
    terminal.sees("drawn shape.png · 400x300", "Ask something")
    terminal.paste("one\ntwo")
    terminal.sees("│ one", "│ two")
    terminal.press("C-q")
    terminal.sees("exit code 0")


def test_leaves_before_the_model_is_loaded(terminal: Terminal) -> None:
    terminal.start("chat", "demo")
    terminal.sees("Ask something")
    terminal.press("C-q")
    assert "Traceback" not in terminal.sees("exit code 0")


def test_leaves_the_terminal_in_order_when_it_is_killed(terminal: Terminal) -> None:
    terminal.start("chat", "demo")
    terminal.sees("Ask something")
    (chat,) = psutil.Process(terminal.pid()).children()
    chat.terminate()
    assert "Ask something" not in terminal.sees("exit code 0")


def test_a_model_that_is_no_model_is_one_line(terminal: Terminal, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"no GGUF")
    terminal.start("chat", broken)
    screen = terminal.sees("exit code 1")
    assert "error: " in screen
    assert "Traceback" not in screen


def test_refuses_a_pipe_with_one_line(edgekit: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    result = edgekit("chat", "demo")
    assert result.returncode == 1
    assert result.stderr.startswith(
        "error: `edgekit chat` needs a terminal on stdin, stdout and stderr: use `edgekit run"
    )
    assert len(result.stderr.splitlines()) == 1
