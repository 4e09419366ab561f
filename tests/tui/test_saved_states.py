"""A conversation that is opened again goes on from what the model had read, and says what it would say anyway."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from edgekit import paths
from edgekit.chat.events import Event, Finished
from edgekit.chat.message import Message, user
from edgekit.chat.session import Session
from edgekit.chat.store import Store

OpenChat = Callable[..., AbstractAsyncContextManager[Any]]


class Heard(Session):
    """The real session; notes how many tokens of each prompt were there already, of how many."""

    turns: ClassVar[list[tuple[int, int]]] = []

    def answer(self, messages: Sequence[Message], stop: threading.Event | None = None) -> Iterator[Event]:
        for event in super().answer(messages, stop):
            if isinstance(event, Finished):
                self.turns.append((event.usage.cached_tokens, event.usage.prompt_tokens))
            yield event


@pytest.fixture(autouse=True)
def states(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the states; pico would read faster than any disk."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("edgekit.engine.saved_state._disk_speed", lambda folder: 1e12)
    Heard.turns.clear()
    return paths.cache_directory() / "states"


async def leave(person: Any) -> None:
    await person.press("ctrl+q")
    for _ in range(2000):
        if not person.app.is_running:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the application did not leave")


async def first_turn(chat: OpenChat, picture: Path, *, think: bool = False) -> int:
    """Ask about a picture and leave; return the conversation's number."""
    async with chat(Heard) as person:
        if think:
            await person.press("ctrl+t")
        await person.attach(picture)
        await person.sees("400x300")
        await person.send("What is in this picture?")
        await person.answered()
        id: int = person.app.chat.saving.id
        await leave(person)
    return id


async def next_answer(chat: OpenChat, id: int, *, think: bool = False) -> str:
    """Open a conversation, ask once more and return the answer."""
    async with chat(Heard, conversation=id) as person:
        await person.until(lambda: len(person.app.chat.history) == 2, "the conversation")
        if think:
            # The command line gives a session its conversation's settings.
            await person.press("ctrl+t")
        await person.send("Which shape is it?")
        await person.answered(2)
        message: Message = person.app.chat.history[-1]
        return f"{message.thought}|{message.text}"


def harmless(states: Path, id: int) -> None:
    """Nothing happens to the state."""


def damage(states: Path, id: int) -> None:
    state = states / f"conversation-{id}.state"
    content = bytearray(state.read_bytes())
    content[len(content) // 3] ^= 255
    state.write_bytes(content)


@pytest.mark.parametrize(("harm", "think"), [(harmless, True), (damage, False)])
async def test_answers_are_those_of_a_fresh_run(
    chat: OpenChat, red_circle: Path, states: Path, harm: Callable[[Path, int], None], think: bool
) -> None:
    id = await first_turn(chat, red_circle, think=think)
    harm(states, id)
    with_state = await next_answer(chat, id, think=think)
    cached, total = Heard.turns[-1]
    if harm is harmless:
        assert cached > total / 2
    else:
        assert cached == 0
    store = Store()
    saved, _ = store.load(id)
    store.delete(id)
    assert not list(states.glob("conversation-*"))
    # The same conversation under another number, of which no state is kept.
    place = store.save(None, saved.messages[:2], 0, saved.state)
    store.close()
    assert place is not None
    Heard.turns.clear()
    assert await next_answer(chat, place.id, think=think) == with_state
    assert Heard.turns == [(0, total)]


async def test_another_conversations_state_is_not_taken_for_this_one(
    chat: OpenChat, red_circle: Path, states: Path
) -> None:
    id = await first_turn(chat, red_circle)
    store = Store()
    saved, _ = store.load(id)
    other = store.save(None, (user("Hello!"), saved.messages[1]), 0, saved.state)
    store.close()
    assert other is not None
    for kind in ("state", "json"):
        (states / f"conversation-{id}.{kind}").rename(states / f"conversation-{other.id}.{kind}")
    await next_answer(chat, other.id)
    cached, total = Heard.turns[-1]
    # They begin alike.
    assert cached < 5 < total


async def test_a_conversation_that_is_left_for_another_is_kept(chat: OpenChat, red_circle: Path, states: Path) -> None:
    async with chat(Heard) as person:
        await person.attach(red_circle)
        await person.sees("400x300")
        await person.send("What is in this picture?")
        await person.answered()
        first = person.app.chat.saving.id
        await person.press("ctrl+n")
        # At once: the state may still be on its way to the disk.
        await person.send("What are you?")
        await person.answered()
        assert (states / f"conversation-{first}.state").is_file()
        person.app.chat.past.begin(person.app.chat.past.open(first))
        await person.until(lambda: person.app.chat.saving.id == first, "the first conversation")
        await person.until(lambda: len(person.app.chat.history) == 2, "its history")
        await person.send("Which colour?")
        await person.answered(2)
        cached, total = Heard.turns[-1]
        assert cached > total / 2


async def test_what_was_only_looked_at_is_not_written_again(chat: OpenChat, red_circle: Path, states: Path) -> None:
    id = await first_turn(chat, red_circle)
    written = (states / f"conversation-{id}.state").stat().st_mtime_ns
    async with chat(Heard, conversation=id) as person:
        await person.until(lambda: len(person.app.chat.history) == 2, "the conversation")
        await leave(person)
    assert (states / f"conversation-{id}.state").stat().st_mtime_ns == written
