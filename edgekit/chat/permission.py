"""Who may call tools: nobody without a person's word, asked once for each call or given beforehand."""

from __future__ import annotations

import threading
from collections.abc import Collection
from typing import Literal

from edgekit.chat.message import ToolCall

# What a person says to a call: this one, every later one of the same tool too, or none of this tool.
Verdict = Literal["once", "always", "never"]

_POLL = 0.05


class Permission:
    """What was allowed so far; asks about the rest."""

    def __init__(self, allowed: Collection[str] = (), *, everything: bool = False, asks: bool = True) -> None:
        # Without anybody to ask, what is not allowed is refused.
        self.asks = asks
        self._everything = everything
        self._given = frozenset(allowed)
        self._said: dict[str, bool] = {}

    def known(self, call: ToolCall) -> bool | None:
        """Return whether a call is allowed, None where the person has to be asked."""
        if self._everything or call.name in self._given:
            return True
        return self._said.get(call.name, None if self.asks else False)

    def note(self, call: ToolCall, verdict: Verdict) -> bool:
        """Remember what the person said; return whether the call is allowed."""
        if verdict != "once":
            self._said[call.name] = verdict == "always"
        return verdict != "never"

    def forget(self) -> None:
        """Ask anew about everything that was not allowed beforehand."""
        self._said.clear()


class Asking:
    """A question to the person, answered from any thread."""

    def __init__(self) -> None:
        self._answered = threading.Event()
        self._verdict: Verdict | None = None

    def reply(self, verdict: Verdict) -> None:
        """Answer; the first answer counts."""
        if not self._answered.is_set():
            self._verdict = verdict
            self._answered.set()

    def wait(self, stop: threading.Event) -> Verdict | None:
        """Return the answer, None where the turn is stopped before."""
        while not self._answered.wait(_POLL):
            if stop.is_set():
                return None
        return self._verdict
