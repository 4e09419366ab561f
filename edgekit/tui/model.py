"""The model behind the application: loaded, asked and closed without ever holding up the screen."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Protocol

from edgekit.chat.calling import LIMIT
from edgekit.chat.events import Event
from edgekit.chat.message import Message
from edgekit.chat.permission import Permission
from edgekit.chat.rounds import Answer, answer_with_tools
from edgekit.chat.session import Session
from edgekit.engine.prompt import entries
from edgekit.tui.feed import Emit, Feed

Progress = tuple[float, float, str]


class OnProgress(Protocol):
    """Hears how far loading has come."""

    def __call__(self, done: float, total: float, text: str = "") -> None:
        """Note that `done` of `total` is there."""


_POLL = 0.02
OpenSession = Callable[[OnProgress], Session]


class Model:
    """One session, used by one thread at a time."""

    def __init__(
        self, open_session: OpenSession, permission: Permission | None = None, tool_timeout: float = LIMIT
    ) -> None:
        self._open = open_session
        self._feed: Feed[Progress] | Feed[Event | Answer] | Feed[int] | None = None
        # Which tools may be called; asks about the others.
        self.permission = permission or Permission()
        self._tool_timeout = tool_timeout
        self._stop = threading.Event()
        self._closing = False
        # Under which name the model's state of the conversation lies on disk that the next turn goes on with.
        self._state: str | None = None
        # Whether the model has read something since its state was kept.
        self._read_on = False
        self.session: Session | None = None
        self.loaded = asyncio.Event()

    @property
    def running(self) -> bool:
        """Whether a thread is in native code."""
        return self._feed is not None and self._feed.running

    async def load(self, open_session: OpenSession | None = None) -> AsyncIterator[Progress]:
        """Load the session, or another one, and yield the progress; raises what loading raises."""
        self._open = open_session or self._open
        feed = self._feed = Feed(self._load, "edgekit-load")
        async for progress in feed:
            yield progress
        self.loaded.set()

    def begin_turn(self) -> None:
        """Let `stop` from now on mean the turn that is to come, before it has anything to stop, too."""
        self._stop = threading.Event()

    async def answer(self, messages: Sequence[Message]) -> AsyncIterator[Event | Answer]:
        """Yield the events of the turn, once the model is free, and its Answer; none where it is stopped before."""
        stop = self._stop
        # It may be on its way here, or its state to the disk; while one waits, another one may take its place.
        while (session := self.session) is None or self.running:
            if stop.is_set():
                return
            await asyncio.sleep(_POLL)
        state, self._state, self._read_on = self._state, None, True
        feed: Feed[Event | Answer] = Feed(partial(self._answer, session, messages, stop, state), "edgekit-answer")
        self._feed = feed
        async for event in feed:
            yield event

    async def count(self, messages: Sequence[Message]) -> int | None:
        """Return how many tokens of the context messages take, once the model is free; None where none is loaded."""
        while self.running:
            await asyncio.sleep(_POLL)
        if (session := self.session) is None:
            return None
        feed: Feed[int] = Feed(lambda emit: emit(len(entries(session.prompt(messages)))), "edgekit-count")
        self._feed = feed
        [count] = [count async for count in feed]
        return count

    def go_on_from(self, state: str) -> None:
        """Let the next turn begin with a state that was kept, where that is faster than reading all of it."""
        self._state = state

    def keep_state(self, name: str, messages: Sequence[Message]) -> None:
        """Keep what the model has read of a conversation that is left; nothing where a turn is still going on."""
        session, messages = self.session, tuple(messages)
        self._state = None
        if session is not None and self._read_on and not self.running:
            self._read_on = False
            self._feed = Feed(lambda _: _ignore(session.keep_state(name, messages)), "edgekit-keep")

    async def rest(self, patience: float) -> None:
        """Stop, and wait up to `patience` seconds until native code has come to an end."""
        self.stop()
        deadline = time.monotonic() + patience
        while self.running and time.monotonic() < deadline:
            await asyncio.sleep(_POLL)

    def stop(self) -> None:
        """Let the running turn end with what it has."""
        self._stop.set()

    async def unload(self) -> Session | None:
        """Stop, close the session and return what is left of it: its settings."""
        self.stop()
        while self.running:
            await asyncio.sleep(_POLL)
        self.loaded.clear()
        session, self.session = self.session, None
        if session is not None:
            await asyncio.to_thread(session.engine.close)
        return session

    async def close(self, patience: float) -> None:
        """Stop, and give the memory back where native code comes to an end within `patience` seconds."""
        self._closing = True
        await self.rest(patience)
        if self.session is not None and not self.running:
            session, self.session = self.session, None
            session.engine.close()

    def _answer(
        self,
        session: Session,
        messages: Sequence[Message],
        stop: threading.Event,
        state: str | None,
        emit: Emit[Event | Answer],
    ) -> None:
        if state is not None:
            session.take_state(state)
        permission, limit = self.permission, self._tool_timeout
        for event in answer_with_tools(session, messages, stop, permission=permission, limit=limit):
            emit(event)

    def _load(self, emit: Emit[Progress]) -> None:
        session = self._open(lambda done, total, text="": emit((done, total, text)))
        if self._closing:
            session.engine.close()
        else:
            self.session = session


def _ignore(_: bool) -> None:
    """Take no notice: a state that is not kept is read again."""
