"""What only a terminal does to an application: sizes, suspension, a broken line, the clipboard."""

from __future__ import annotations

import psutil
from terminal import LIMIT, Terminal


def test_is_whole_at_40_by_12_and_back(terminal: Terminal) -> None:
    terminal.start("chat", "demo")
    terminal.sees("gemma4-pico Q8_0", "lists everything else")
    terminal.resize(40, 12)
    terminal.sees("Ask something", "gemma4-pico")
    terminal.type("What are you?")
    terminal.press("Enter")
    terminal.resize(80, 24)
    terminal.sees("What are you?", "decode")
    terminal.press("C-q")
    terminal.sees("exit code 0")


def test_suspends_to_the_shell_and_comes_back(terminal: Terminal) -> None:
    terminal.start_shell("bash", "--norc", "-i")
    terminal.type(terminal.command("chat", "demo"))
    terminal.press("Enter")
    terminal.sees("gemma4-pico Q8_0", "Ask something")
    terminal.type("half a question")
    terminal.press("C-z")
    screen = terminal.sees("Stopped")
    assert "half a question" not in screen
    terminal.type("fg")
    terminal.press("Enter")
    terminal.sees("half a question", "gemma4-pico Q8_0")
    terminal.press("C-q")
    terminal.misses("Ask something", "half a question")
    terminal.type("echo exit code $?")
    terminal.press("Enter")
    terminal.sees("exit code 0")


def test_ends_when_its_terminal_is_gone(terminal: Terminal) -> None:
    terminal.start("chat", "demo")
    terminal.sees("gemma4-pico Q8_0", "Ask something")
    (chat,) = psutil.Process(terminal.pid()).children()
    terminal.hang_up()
    chat.wait(LIMIT)


def test_copies_through_tmux(terminal: Terminal) -> None:
    terminal.start("chat", "demo", "--temperature", 0)
    terminal.sees("gemma4-pico Q8_0", "Ask something")
    terminal.type("What are you?")
    terminal.press("Enter")
    terminal.sees("decode")
    terminal.type("/copy")
    terminal.press("Enter")
    terminal.sees("copied")
    assert "gemma4-pico" in terminal.copied()
