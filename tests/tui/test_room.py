"""Making room near the end of the context: sum up, forget, begin anew."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from edgekit.chat.session import Session
from edgekit.chat.shorten import SUMMARY_REQUEST

OpenChat = Callable[..., AbstractAsyncContextManager[Any]]


async def _ask(person: Any, count: int) -> None:
    for turn in range(1, count + 1):
        await person.send("What are you?")
        await person.answered(turn)


async def test_the_end_of_the_context_is_said_with_what_helps(chat: OpenChat) -> None:
    async with chat() as person:
        person.app.chat.status.change(context=20)
        await _ask(person, 1)
        await person.sees("nearly full", "/compact", "/drop", "/new")


async def test_compact_goes_on_from_the_models_own_summary(chat: OpenChat) -> None:
    async with chat() as person:
        await _ask(person, 3)
        before = person.app.chat.status.status.used
        await person.send("/compact")
        await person.sees("the conversation goes on from this summary")
        await person.until(lambda: not person.app.chat.answering, "the end of it")
        request, summary = person.app.chat.history
        assert request.text == SUMMARY_REQUEST
        assert summary.role == "assistant"
        assert summary.text
        assert 0 < person.app.chat.status.status.used < before
        await person.send("What are you?")
        await person.answered(2)


async def test_a_stopped_summary_changes_nothing(chat: OpenChat, pausing: type[Session]) -> None:
    async with chat(pausing) as person:
        await person.send("What are you?")
        await person.sees("answering")
        await person.press("escape")
        await person.answered()
        before = list(person.app.chat.history)
        await person.send("/compact")
        await person.sees("summing the conversation up", "answering")
        await person.press("escape")
        await person.sees("nothing has changed")
        assert person.app.chat.history == before


async def test_drop_forgets_the_oldest_turns(chat: OpenChat) -> None:
    async with chat() as person:
        await _ask(person, 3)
        last, before = person.app.chat.history[-2:], person.app.chat.status.status.used
        await person.send("/drop 2")
        await person.sees("forgot the oldest 2 of 3 turns")
        await person.until(lambda: not person.app.chat.answering, "the end of it")
        assert person.app.chat.history == last
        assert 0 < person.app.chat.status.status.used < before
        await person.send("/drop")
        await person.sees("there is one turn only")


async def test_room_needs_a_conversation(chat: OpenChat) -> None:
    async with chat() as person:
        await person.send("/compact")
        await person.sees("there is no conversation yet")
        await person.send("/drop x")
        await person.until(lambda: person.screen.count("there is no conversation yet") == 2, "both refusals")


async def test_not_while_the_model_answers(chat: OpenChat, pausing: type[Session]) -> None:
    async with chat(pausing) as person:
        await person.send("What are you?")
        await person.sees("answering")
        await person.send("/compact")
        await person.sees("the model is answering: Esc stops it")


async def test_an_export_after_making_room_has_everything_that_was_said(chat: OpenChat, tmp_path: Path) -> None:
    questions = ["What are you?", "Hello!", "Thank you", "What can you do?"]
    async with chat() as person:
        for number, (question, room) in enumerate(zip(questions, ("", "/drop 1", "/compact", ""), strict=True)):
            await person.send(question)
            await person.until(lambda: not person.app.chat.answering, "an answer")
            if room:
                await person.send(room)
                await person.until(lambda: not person.app.chat.answering, f"room after question {number}")
        file = tmp_path / "all.json"
        await person.send(f"/export {file}")
        await person.until(file.exists, "the file")
    messages = json.loads(file.read_text())["messages"]
    assert [message["parts"][0]["text"] for message in messages if message["role"] == "user"] == questions
    assert [message["role"] for message in messages] == ["user", "assistant"] * 4
