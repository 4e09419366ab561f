"""`edgekit run` with tools: permission in scripts and at a terminal, MCP servers, limits."""

from __future__ import annotations

import json
import os
import pty
import shlex
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from one_line import assert_one_line_error

WEATHER = '''
def get_weather(city: str) -> dict:
    """Get the weather.

    Args:
        city: The city
    """
    print("looking out of the window")
    return {"temperature": 21, "condition": "sunny"}
'''
SERVER = Path(__file__).parent.parent / "servers" / "weather.py"
QUESTION = ("run", "demo", "What is the weather in Paris?", "--temperature", 0)


@pytest.fixture
def weather(tmp_path) -> Path:
    path = tmp_path / "weather.py"
    path.write_text(WEATHER)
    return path


@pytest.mark.parametrize("allowed", ["all", "get_weather", "get_weather, get_weather"])
def test_what_is_allowed_is_called(edgekit, weather, allowed):
    result = edgekit(*QUESTION, "--tool", weather, "--allow-tools", allowed, "--json")
    answer = json.loads(result.stdout)
    assert answer["tool_calls"] == [{"name": "get_weather", "arguments": {"city": "Paris"}}]
    assert "21" in answer["answer"]
    assert "messages" not in answer
    assert result.stderr == "looking out of the window\n"


def test_without_a_terminal_and_a_word_nothing_is_called(edgekit, weather):
    result = edgekit(*QUESTION, "--tool", weather)
    assert result.returncode == 0
    assert "looking out" not in result.stderr
    assert "get_weather(city='Paris')" in result.stderr
    assert "get_weather: the person does not allow get_weather: it was not called" in result.stderr
    assert "21" not in result.stdout


def test_a_server_over_stdio(edgekit):
    line = shlex.join([sys.executable, str(SERVER), "get_weather"])
    result = edgekit(*QUESTION, "--mcp", line, "--allow-tools", "all", "--json")
    assert "21" in json.loads(result.stdout)["answer"]
    assert result.stderr == ""


def test_a_tool_that_hangs_is_given_up(edgekit, tmp_path):
    slow = tmp_path / "slow.py"
    slow.write_text(WEATHER.replace('print("looking out of the window")', "import time; time.sleep(600)"))
    result = edgekit(*QUESTION, "--tool", slow, "--allow-tools", "all", "--tool-timeout", 0.5, timeout=120)
    assert result.returncode == 0
    assert "no answer within 0.5 s: given up" in result.stderr


def test_servers_that_do_not_start_are_one_line(edgekit, weather):
    for line, words in (
        ("no-such-program", "there is no program no-such-program"),
        (shlex.join([sys.executable, "-c", "import sys; sys.exit('give me a key')"]), "it said: give me a key"),
        ("'", "is no command"),
        (shlex.join([sys.executable, str(SERVER), "say"]) + " say", ""),
    ):
        if words:
            assert words in assert_one_line_error(edgekit("run", "demo", "Hello", "--mcp", line))
    both = shlex.join([sys.executable, str(SERVER), "get_weather"])
    line = assert_one_line_error(edgekit("run", "demo", "Hello", "--mcp", both, "--tool", weather))
    assert "two tools are named get_weather" in line


def test_an_unknown_tool_is_wrong_usage(edgekit, weather):
    result = edgekit(*QUESTION, "--tool", weather, "--allow-tools", "nothing")
    assert result.returncode == 2
    assert "get_weather" in result.stderr


class Terminal:
    """A command on a terminal of its own, which the test reads and types into."""

    def __init__(self, environment: dict[str, str], *arguments: object, stdin: int | None = None) -> None:
        self._master, follower = pty.openpty()
        self.written = b""
        line = [sys.executable, "-m", "edgekit", *map(str, arguments)]
        self.process = subprocess.Popen(
            line, stdin=follower if stdin is None else stdin, stdout=follower, stderr=follower, env=environment,
            start_new_session=True, preexec_fn=lambda: _controlling(1),
        )  # fmt: skip
        os.close(follower)
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def sees(self, text: str) -> None:
        with self._news:
            assert self._news.wait_for(lambda: text.encode() in self.written, timeout=120), self.written

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def end(self) -> str:
        self.process.wait(timeout=120)
        self._reader.join(60)
        os.close(self._master)
        return self.written.decode()

    def _read(self) -> None:
        while True:
            try:
                chunk = os.read(self._master, 4096)
            except OSError:
                chunk = b""
            with self._news:
                self.written += chunk
                self._news.notify_all()
            if not chunk:
                return


def _controlling(descriptor: int) -> None:
    import fcntl
    import termios

    fcntl.ioctl(descriptor, termios.TIOCSCTTY, 0)


@pytest.mark.parametrize(("keys", "called"), [("y", True), ("xA", True), ("n", False), ("\x04", False)])
def test_at_a_terminal_one_key_decides(environment, weather, keys, called):
    terminal = Terminal(environment, *QUESTION, "--tool", weather)
    terminal.sees("y once")
    terminal.type(keys)
    written = terminal.end()
    assert terminal.process.returncode == 0
    assert ("looking out of the window" in written) == called
    assert ("does not allow" in written) != called


def test_a_question_through_a_pipe_leaves_the_keyboard_free(environment, weather, tmp_path):
    question = tmp_path / "question.txt"
    question.write_text("What is the weather in Paris?")
    with question.open() as piped:
        terminal = Terminal(environment, "run", "demo", "--temperature", 0, "--tool", weather, stdin=piped.fileno())
        terminal.sees("y once")
        terminal.type("y")
        assert "looking out of the window" in terminal.end()


def test_ctrl_c_at_the_question_stops(environment, weather):
    terminal = Terminal(environment, *QUESTION, "--tool", weather)
    terminal.sees("y once")
    terminal.type("\x03")
    written = terminal.end()
    assert terminal.process.returncode == 1
    assert "stopped" in written
    assert "looking out" not in written
    assert "Traceback" not in written
