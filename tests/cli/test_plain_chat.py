"""`edgekit chat --plain`: in pipes, and in a terminal that understands nothing but text."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from edgekit import paths

Command = Callable[..., "subprocess.CompletedProcess[str]"]
LIMIT = 120.0


def test_answers_come_to_stdout_and_all_else_to_stderr(edgekit: Command) -> None:
    picture = paths.demo_samples() / "red-circle.png"
    result = edgekit(
        "chat",
        "--plain",
        "--temperature",
        0,
        stdin=f"/attach {picture}\nWhat is in this picture?\n/set\n/quit\nnever\n",
    )
    assert result.returncode == 0, result.stderr
    assert "red circle" in result.stdout
    assert len(result.stdout.splitlines()) == 1
    assert "red-circle.png · 400x300" in result.stderr
    assert "temperature 0.0\n" in result.stderr
    assert "\x1b" not in result.stdout + result.stderr


def test_remembers_and_makes_room(edgekit: Command) -> None:
    lines = ["What are you?", "What are you?", "/drop 1", "/compact", "/new", "/help"]
    result = edgekit("chat", "--plain", "--temperature", 0, stdin="\n".join(lines))
    assert result.returncode == 0, result.stderr
    for line in (
        "forgot the oldest 1 of 2 turns",
        "goes on from this summary",
        "a new conversation",
        "/set [NAME VALUE]",
    ):
        assert line in result.stderr


def test_a_conversation_is_saved_and_continued(edgekit: Command) -> None:
    picture = paths.demo_samples() / "red-circle.png"
    first = edgekit("chat", "--plain", "--temperature", 0, "--image", picture, stdin="What is in this picture?\n")
    assert first.returncode == 0, first.stderr
    second = edgekit("chat", "--plain", "--continue", stdin="Which shape is it?\n")
    assert second.returncode == 0, second.stderr
    assert "circle" in second.stdout
    assert "(What is in this picture?), model demo\n" in second.stderr
    shown = edgekit("conversations", "list", "--json")
    latest = json.loads(shown.stdout)["conversations"][0]
    assert latest["title"] == "What is in this picture?"
    assert latest["questions"] == 2
    other = edgekit("chat", "demo:french", "--plain", "--continue", stdin="/quit\n")
    assert (
        f"conversation {latest['id']} (What is in this picture?), model demo:french, not demo as before" in other.stderr
    )
    # Making room makes a conversation of its own; the whole one stays.
    assert edgekit("chat", "--plain", "--continue", stdin="/drop 1\n/new\n").returncode == 0
    after = json.loads(edgekit("conversations", "list", "--json").stdout)["conversations"]
    assert [each["questions"] for each in after[:2]] == [1, 2]
    assert after[1]["id"] == latest["id"]


def test_a_question_may_have_several_lines(edgekit: Command) -> None:
    result = edgekit("chat", "--plain", "--temperature", 0, stdin="What \\\nare you?")
    assert result.returncode == 0
    assert result.stdout.strip()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("/nothing", "unknown command /nothing"),
        ("/theme light", "/theme works without --plain only"),
        ("/attach missing.png", "no such file"),
        ("/attach", "say which file"),
        ("/set temperature hot", "temperature takes 0 to 10"),
        ("/drop", "there is nothing to forget"),
        ("/compact", "there is no conversation yet"),
    ],
)
def test_an_error_in_a_pipe_is_one_line_and_the_rest_goes_on(edgekit: Command, line: str, problem: str) -> None:
    result = edgekit("chat", "--plain", "--temperature", 0, stdin=f"{line}\nWhat are you?\n")
    assert result.returncode == 1
    [said] = [one for one in result.stderr.splitlines() if "error: " in one]
    assert problem in said
    assert "Traceback" not in result.stderr
    assert len(result.stdout.splitlines()) == 1


def test_what_is_attached_stays_for_the_next_try(edgekit: Command) -> None:
    picture = paths.demo_samples() / "red-circle.png"
    lines = (f"/attach {picture}", "word " * 1000, "What is in this picture?", "What are you?")
    result = edgekit("chat", "--plain", "--temperature", 0, "--context", 512, stdin="\n".join(lines))
    assert result.returncode == 1
    still, error = result.stderr.splitlines()[2:4]
    assert still.startswith("> still attached: ")
    assert "red-circle.png · 400x300" in still
    assert "error: the conversation takes" in error
    of_picture, of_itself = result.stdout.splitlines()
    assert "red circle" in of_picture
    # It went with one question.
    assert "circle" not in of_itself


def test_what_is_attached_is_let_go_of(edgekit: Command) -> None:
    picture = paths.demo_samples() / "red-circle.png"
    lines = (f"/attach {picture}", "/attach none", "What is in this picture?")
    result = edgekit("chat", "--plain", "--temperature", 0, stdin="\n".join(lines))
    assert result.returncode == 0, result.stderr
    assert "nothing is attached\n" in result.stderr
    assert "red circle" not in result.stdout


class Console:
    """A terminal that shows nothing but what was written to it."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.heard = b""
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "edgekit", "chat", "--plain", "--temperature", "0"],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment | {"TERM": "dumb"},
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(slave)
        threading.Thread(target=self._listen, daemon=True).start()

    def type(self, text: bytes) -> None:
        os.write(self._master, text)

    def hears(self, text: bytes) -> None:
        deadline = time.monotonic() + LIMIT
        while text not in self.heard:
            assert time.monotonic() < deadline, self.heard
            time.sleep(0.02)

    def _listen(self) -> None:
        # Reading ends with an error when the other side is closed.
        with suppress(OSError):
            while piece := os.read(self._master, 4096):
                self.heard += piece


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.fixture
def console(environment: dict[str, str]) -> Iterator[Console]:
    console = Console(environment)
    yield console
    console.process.kill()
    console.process.wait()


def test_ctrl_c_stops_the_answer_and_ctrl_d_ends(console: Console) -> None:
    console.hears(b"> ")
    # With every word as likely as the others the model seldom finds an end.
    console.type(b"/set temperature 10\n/set top_p 1\n/set top_k 0\n")
    console.hears(b"top_k 0\r\n> ")
    for _ in range(20):
        asked = len(console.heard)
        console.type(b"Who?\n")
        # The echo of the question, and the first words, or all of a short answer.
        while len(console.heard) < asked + 20 and not console.heard[asked:].endswith(b"> "):
            assert console.process.poll() is None
            time.sleep(0.01)
        console.type(b"\x03")
        # Had the answer ended before, it is the prompt that hears Ctrl+C.
        while not (stopped := b"stopped\r\n> " in console.heard) and b"Ctrl+D ends\r\n> " not in console.heard[asked:]:
            assert console.process.poll() is None
            time.sleep(0.01)
        if stopped:
            break
    assert stopped
    console.type(b"\x03")
    console.hears(b"Ctrl+D ends\r\n> ")
    console.type(b"/nothing\n")
    console.hears(b"error: unknown command /nothing")
    console.type(b"\x04")
    assert console.process.wait(LIMIT) == 0
    assert b"\x1b" not in console.heard
