"""The conversation that is being held, kept the same on disk."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace as changed

from edgekit.chat.lost import without_lost
from edgekit.chat.message import Message
from edgekit.chat.rows import Place
from edgekit.chat.saved import Saved, Settings, Shortened, State
from edgekit.chat.shorten import carried
from edgekit.chat.store import Store
from edgekit.errors import EdgekitError


class Keeper:
    """Knows which conversation is held, and what of it lies on disk; every method raises EdgekitError where it fails.

    Messages are told apart by identity: a history holds the same ones from turn to turn.
    """

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self.place: Place | None = None
        # Whether somebody else had written to the conversation, so that it became another one.
        self.moved = False
        # What lies on disk.
        self._stored: tuple[Message, ...] = ()
        self._state = State(settings)

    @property
    def settings(self) -> Settings:
        """Return the settings that were saved last."""
        return self._state.settings

    def keep(self, history: tuple[Message, ...], state: State, replace: bool = False) -> None:
        """Save the conversation as it is after a turn; `replace` says that an earlier question was asked anew.

        Otherwise a history that does not begin as what lies on disk, as after dropping the oldest turns, becomes a
        conversation of its own: what lies there stays.
        """
        same = 0
        while same < min(len(history), len(self._stored)) and history[same] is self._stored[same]:
            same += 1
        if self._stored and not same and not replace:
            self._begin(history, changed(state, shortened=self._shortened(history)), "continued")
        else:
            self._write(history, same, self._linked(state, same))

    def keep_state(self, state: State, durable: bool = True) -> None:
        """Save what changes between turns."""
        state = self._linked(state, len(self._stored))
        if state != self._state:
            self._write(self._stored, len(self._stored), state, durable=durable)

    def fork(self, history: tuple[Message, ...], state: State) -> None:
        """Go on in a copy that holds `history`."""
        self._begin(history, self._linked(state, len(history)), "fork")

    def begin(self, state: State) -> None:
        """Begin another conversation; nothing stays unsent in the one that is left."""
        self._begin((), state)

    def _begin(self, history: tuple[Message, ...], state: State, what: str = "") -> None:
        left, title = self.place, self._title() if what else ""
        self.place = self.store.save(None, history, 0, state, title=f"{title} ({what})" if title else "")
        self._stored, self._state = history, state
        if left is not None:
            self.store.release(left)

    def open(self, id: int, say: Callable[[str], None]) -> Saved:
        """Go on in a saved conversation; returns it, with a note in place of each medium that is gone, and says so."""
        saved, self.place = self.store.load(id)
        readable = [without_lost(message) for message in saved.messages]
        self._stored, self._state = tuple(message for message, _ in readable), saved.state
        for line in (line for _, lines in readable for line in lines):
            say(f"{line}: the model reads a note in its place")
        return changed(saved, messages=self._stored)

    def _shortened(self, history: tuple[Message, ...]) -> Shortened | None:
        if self.place is None:
            return None
        return Shortened(self.place.id, len(self._stored), carried(history, self._stored))

    def _linked(self, state: State, same: int) -> State:
        """Return a state with where the conversation goes on from, if its first `same` messages still say so."""
        link = self._state.shortened
        return changed(state, shortened=link if link and link.carried <= same else None)

    def _title(self) -> str:
        # Deleted by another process, it has none.
        with suppress(EdgekitError):
            return self.store.load(self.place.id)[0].title if self.place else ""
        return ""

    def _write(self, messages: tuple[Message, ...], keep: int, state: State, durable: bool = True) -> None:
        before = self.place
        self.place = self.store.save(before, messages, keep, state, durable=durable)
        self.moved = self.moved or (before is not None and self.place is not None and before.id != self.place.id)
        self._stored, self._state = messages, state
