"""What a conversation shows and holds when it is opened again, and a question right behind its picture."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from edgekit.chat.message import Message, Text, ToolCall, user
from edgekit.chat.saved import State
from edgekit.chat.store import Store
from edgekit.tui.attachment import Attachment, read_attachment
from edgekit.tui.composer import Composer
from edgekit.tui.graphics import Graphics
from edgekit.tui.tool_card import ToolAnswer, ToolCard

OpenChat = Callable[..., AbstractAsyncContextManager[Any]]


async def held(chat: OpenChat, id: int) -> list[Message]:
    """Open a conversation and return what the model would read of it."""
    async with chat(conversation=id) as person:
        await person.until(lambda: person.app.chat.history, "the conversation")
        return list(person.app.chat.history)


@pytest.mark.parametrize(("command", "seen"), [("/drop 1", "forgot the oldest 1"), ("/compact", "from this summary")])
async def test_making_room_is_saved_and_the_whole_conversation_stays(chat: OpenChat, command: str, seen: str) -> None:
    async with chat() as person:
        for turn, question in enumerate(("What are you?", "What can you do?"), 1):
            await person.send(question)
            await person.answered(turn)
        whole, id = list(person.app.chat.history), person.app.chat.saving.id
        await person.send(command)
        await person.sees(seen)
        await person.until(lambda: not person.app.chat.answering, "the end of it")
        shorter, other = list(person.app.chat.history), person.app.chat.saving.id
    assert len(shorter) == 2
    assert other != id
    assert await held(chat, other) == shorter
    assert await held(chat, id) == whole


async def test_tool_calls_are_shown_with_their_answers(chat: OpenChat) -> None:
    calls = (ToolCall("get_weather", {"city": "Paris"}), ToolCall("get_weather", {"city": "Rome"}))
    store = Store()
    messages = (
        user("What is the weather in Paris?"),
        Message("assistant", (), tool_calls=calls),
        Message("tool", (Text('{"temperature": 21}'),), name="get_weather"),
        Message("assistant", (Text("It is 21 degrees."),)),
    )
    place = store.save(None, messages, 0, State())
    store.close()
    assert place is not None
    async with chat(conversation=place.id, size=(80, 40)) as person:
        await person.sees("It is 21 degrees.", 'city "Paris"', "no answer")
        first, second = person.app.screen.query(ToolCard)
        assert '"temperature": 21' in str(first.query_one(ToolAnswer).title)
        assert not second.query(ToolAnswer)
        assert not first.query_one(".state").display
        assert second.query_one(".state").display


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Files are read once this is set."""
    gate = threading.Event()

    def read(path: Path, graphics: Graphics) -> Attachment:
        gate.wait(60)
        return read_attachment(path, graphics)

    monkeypatch.setattr("edgekit.tui.attaching.read_attachment", read)
    return gate


async def test_a_question_waits_for_its_picture(chat: OpenChat, red_circle: Path, slow: threading.Event) -> None:
    async with chat() as person:
        await person.attach(red_circle)
        await person.send("What is in this picture?")
        await person.pilot.pause(0.3)
        assert not person.app.chat.answering
        slow.set()
        await person.answered()
        question, answer = person.app.chat.history
        assert [medium.path for medium in question.media] == [red_circle]
        assert "red circle" in answer.text


async def test_a_question_without_its_picture_is_given_back(
    chat: OpenChat, tmp_path: Path, slow: threading.Event
) -> None:
    async with chat() as person:
        await person.attach(tmp_path / "nothing.png")
        await person.send("What is in this picture?")
        slow.set()
        await person.sees("no such file")
        composer = person.app.chat.query_one(Composer)
        await person.until(lambda: composer.text == "What is in this picture?", "the question in the composer")
        assert not person.app.chat.history
