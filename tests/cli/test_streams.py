"""What a command hears of signals, of a child's stderr, and lets through to a terminal."""

from __future__ import annotations

import signal
import sys
import threading

import pytest

from edgekit.chat.events import TextPiece
from edgekit.chat.last_words import LastWords
from edgekit.cli.answer_view import AnswerView
from edgekit.cli.interrupt import interruptible


def test_ctrl_c_is_heard_after_other_signals():
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        with interruptible() as stop:
            signal.raise_signal(signal.SIGUSR1)
            assert not stop.wait(0.2)
            signal.raise_signal(signal.SIGINT)
            assert stop.wait(60)
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_the_last_words_are_quoted_while_more_are_said():
    words = LastWords()

    def say(file):
        with file:
            for number in range(100_000):
                file.write(f"line {number}\n")

    speaker = threading.Thread(target=say, args=(words.listen(),))
    speaker.start()
    while speaker.is_alive():
        assert words.quoted()[:16] in ("", "; it said: line ")
    while words.quoted() != "; it said: line 99999":
        assert words.quoted()


@pytest.mark.parametrize(
    ("is_terminal", "shown"), [(True, "\N{REPLACEMENT CHARACTER}[2Jhello"), (False, "\x1b[2Jhello")]
)
def test_a_model_cannot_clear_the_screen(is_terminal, shown, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    AnswerView(threading.Event(), quiet=False).show(TextPiece("\x1b[2Jhello"))
    assert capsys.readouterr().out == shown
