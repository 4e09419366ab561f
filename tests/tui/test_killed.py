"""Killed at random moments in a real terminal: no finished turn and no typed text is lost."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from terminal import LIMIT, Terminal

from edgekit.chat.message import Message
from edgekit.chat.store import Store

# `EDGEKIT_KILLS=30` for the whole judgement; each takes seconds.
KILLS = int(os.environ.get("EDGEKIT_KILLS", "6"))


class Life:
    """`edgekit chat` in a terminal, from its start to its end by SIGKILL."""

    def __init__(self, environment: dict[str, str], data: Path) -> None:
        self._store = Store(data / "edgekit" / "conversations.db")
        self._terminal = Terminal(environment | {"XDG_DATA_HOME": str(data)})
        self.before = self.messages()
        self.unsent = self._unsent()
        self._terminal.start("chat", "demo", "--temperature", 0, *["--continue"] * bool(self.before or self.unsent))
        # What was not sent is where it was typed.
        self._terminal.sees(self.unsent.split()[-1] if self.unsent else "Ask something")

    def messages(self) -> tuple[Message, ...]:
        latest = self._store.latest()
        return self._store.load(latest.id)[0].messages if latest else ()

    def _unsent(self) -> str:
        latest = self._store.latest()
        return self._store.load(latest.id)[0].state.unsent.text if latest else ""

    def until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + LIMIT
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain for {what}:\n{self._terminal.screen()}"
            time.sleep(0.02)

    def type(self, text: str) -> str:
        """Type behind what is there and wait until it is on disk; return the whole."""
        whole = self.unsent + text
        self._terminal.type(text)
        self.until(lambda: self._unsent() == whole, f"{whole!r} on disk")
        return whole

    def type_on(self, text: str) -> None:
        self._terminal.type(text)

    def send(self) -> None:
        self._terminal.press("Enter")

    def answered(self) -> None:
        """Wait until the screen shows that the turn is over."""
        self.until(lambda: self._is_over(self._terminal.screen()), "the end of the turn")

    def _is_over(self, screen: str) -> bool:
        return "decode" in screen and "Esc stops" not in screen

    def kill(self) -> tuple[tuple[Message, ...], str]:
        """Kill the process; return what is on disk."""
        (process,) = psutil.Process(self._terminal.pid()).children()
        process.kill()
        self._terminal.sees("exit code")
        self._terminal.close()
        after = self.messages(), self._unsent()
        self._store.close()
        return after


def test_nothing_is_lost(environment: dict[str, str], tmp_path: Path) -> None:
    chance = random.Random(11)
    environment = {key: value for key, value in environment.items() if key not in ("NO_COLOR", "TMUX")}
    for number in range(KILLS):
        life = Life(environment, tmp_path)
        typed = life.type(f" Is this number {number}?")
        moment = ("typing", "asking", "answered")[number % 3]
        if moment == "typing":
            more = f" I mean {number}." * chance.randint(1, 5)
            life.type_on(more)
        else:
            life.send()
            if moment == "answered":
                life.answered()
        time.sleep(chance.uniform(0, 1.5) ** 2)
        messages, unsent = life.kill()
        assert messages[: len(life.before)] == life.before
        new = [message.text for message in messages[len(life.before) :]]
        if moment == "typing":
            assert not new
            assert unsent.startswith(typed)
            assert (typed + more).startswith(unsent)
        elif moment == "asking":
            # Asked, or answered meanwhile.
            assert (unsent, new[:1]) in ((typed, []), (typed.strip(), []), ("", [typed.strip()]))
        else:
            assert (unsent, new[0]) == ("", typed.strip())
            assert len(new) == 2
