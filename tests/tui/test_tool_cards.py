"""Tools in the application: asked for with one key, allowed, refused, stopped, answered."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from edgekit.chat.schema import declare
from edgekit.chat.session import Session
from edgekit.chat.tools import Tool
from edgekit.engine.engine import Engine
from edgekit.engine.sampling import Sampling
from edgekit.tui.composer import Composer
from edgekit.tui.tool_card import ToolAnswer, ToolCard

OpenChat = Callable[..., AbstractAsyncContextManager[Any]]
QUESTION = "What is the weather in Paris?"
KEYS = "y once · a always · n never"


class Weather(Session):
    """The real session with one tool, which remembers what it was asked."""

    asked: list[str]

    def __init__(self, engine: Engine, *, sampling: Sampling) -> None:
        asked: list[str] = []

        def get_weather(city: str) -> dict[str, Any]:
            """Get the weather.

            Args:
                city: The city
            """
            asked.append(city)
            return {"temperature": 21, "condition": "sunny"}

        tool = Tool("get_weather", declare(get_weather), get_weather)
        super().__init__(engine, sampling=sampling, tools=[tool])
        self.asked = asked


def asked(person: Any) -> list[str]:
    session = person.app.model.session
    assert isinstance(session, Weather)
    return session.asked


async def over(person: Any) -> None:
    await person.until(lambda: not person.app.chat.answering, "the turn to end")


async def test_y_calls_once_and_is_asked_again(chat: OpenChat) -> None:
    async with chat(Weather, size=(80, 40)) as person:
        for times in (1, 2):
            await person.send(QUESTION)
            await person.sees("⚙ get_weather", 'city "Paris"', f"call it? {KEYS}")
            assert asked(person) == ["Paris"] * (times - 1)
            await person.press("y")
            await over(person)
            assert asked(person) == ["Paris"] * times
            assert "21" in person.app.chat.history[-1].text
            await person.send("/new")
            await person.until(lambda: not person.app.screen.query(ToolCard), "a new conversation")


async def test_a_allows_the_tool_for_the_conversation(chat: OpenChat) -> None:
    async with chat(Weather, size=(80, 40)) as person:
        await person.send(QUESTION)
        await person.sees(KEYS)
        await person.press("a")
        await over(person)
        await person.send(QUESTION)
        await over(person)
        assert len(asked(person)) == len([m for m in person.app.chat.history if m.role == "tool"]) >= 1
        await person.send("/new")
        await person.until(lambda: not person.app.screen.query(ToolCard), "a new conversation")
        await person.send(QUESTION)
        await person.sees(KEYS)
        await person.press("escape")
        await over(person)


async def test_n_refuses_and_the_model_is_told(chat: OpenChat) -> None:
    async with chat(Weather, size=(80, 40)) as person:
        await person.send(QUESTION)
        await person.sees(KEYS)
        await person.press("n")
        await over(person)
        await person.sees("the person does not allow")
        assert asked(person) == []
        answers = [message.text for message in person.app.chat.history if message.role == "tool"]
        assert all("does not allow get_weather" in text for text in answers)


async def test_escape_stops_the_question(chat: OpenChat) -> None:
    async with chat(Weather, size=(80, 40)) as person:
        await person.send(QUESTION)
        await person.sees(KEYS)
        await person.press("escape")
        await over(person)
        assert asked(person) == []
        await person.press("y")
        assert person.app.chat.query_one(Composer).text == "y"


async def test_whoever_types_is_not_interrupted(chat: OpenChat) -> None:
    """What is typed while the question appears does not answer it."""
    async with chat(Weather, size=(80, 40)) as person:
        await person.send(QUESTION)
        await person.type("any")
        await person.sees(f"call it? Shift+Tab, then {KEYS}")
        await person.type("y")
        assert person.app.chat.query_one(Composer).text == "anyy"
        assert asked(person) == []
        await person.press("shift+tab", "y")
        await over(person)
        assert asked(person) == ["Paris"]
        await person.type("!")
        assert person.app.chat.query_one(Composer).text == "anyy!"


async def test_the_result_is_folded_and_unfolds(chat: OpenChat) -> None:
    async with chat(Weather, size=(80, 40)) as person:
        await person.send(QUESTION)
        await person.sees(KEYS)
        await person.press("y")
        await over(person)
        await person.sees('s · { "temperature": 21, "condition": "sunny" }')
        result = person.app.screen.query_one(ToolAnswer)
        assert result.collapsed
        await person.press("shift+tab", "enter")
        await person.until(lambda: not result.collapsed, "the result to unfold")
        await person.sees('"temperature": 21, "condition"')


async def test_the_next_question_follows_the_tools_answer(chat: OpenChat) -> None:
    """Calls and answers stay in the history, in the order in which a template takes them."""
    async with chat(Weather, size=(80, 40)) as person:
        await person.send(QUESTION)
        await person.sees(KEYS)
        await person.press("y")
        await over(person)
        roles = [message.role for message in person.app.chat.history]
        assert roles == ["user", "assistant", "tool", "assistant"]
        await person.send("Hello!")
        await over(person)
        assert [message.role for message in person.app.chat.history] == [*roles, "user", "assistant"]


@pytest.mark.parametrize("key", ["escape", "ctrl+q"])
async def test_leaving_in_the_middle_of_a_question(chat: OpenChat, key: str) -> None:
    async with chat(Weather) as person:
        await person.send(QUESTION)
        await person.sees("y once")
        await person.press(key)
        await person.until(lambda: not person.app.model.running, "the model to stop")
