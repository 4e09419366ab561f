"""The application in a real terminal: tmux types, and reads the screen."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
from terminal import Terminal


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


def test_keys_that_come_all_at_once_keep_their_order(terminal: Terminal, red_circle: Path) -> None:
    """As a slow line delivers them: Enter neither overtakes what was typed before it nor takes what comes after."""
    terminal.start("chat", "demo", "--temperature", 0)
    terminal.sees("gemma4-pico Q8_0", "Ask something")
    terminal.press(f"/attach {red_circle}", "Enter")
    terminal.sees("drawn shape.png · 400x300")
    terminal.press("What is in this picture?", "Enter", "and then some")
    terminal.sees("▌ What is in this picture?", "red circle", "│ and then some")
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
