"""Rounds of tools with the bundled model: asked for, allowed, refused, bounded."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import Any

import pytest

from edgekit.chat.events import ToolAnswered, ToolAsked
from edgekit.chat.message import ToolCall, user
from edgekit.chat.permission import Asking, Permission
from edgekit.chat.rounds import MOST_ROUNDS, Answer, answer_with_tools
from edgekit.chat.session import Session
from edgekit.chat.tools import Tool, load_tools
from edgekit.engine.engine import Engine
from edgekit.engine.sampling import Sampling

QUESTION = [user("What is the weather in Paris?")]
CALL = ToolCall("get_weather", {"city": "Paris"})
SLOW = '''
import time

def get_weather(city: str) -> str:
    """Get the weather.

    Args:
        city: The city
    """
    time.sleep(600)
'''


class Weather:
    """A tool that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def tools(self) -> list[Tool]:
        def get_weather(city: str) -> dict[str, Any]:
            """Get the weather.

            Args:
                city: The city
            """
            self.asked.append(city)
            return {"temperature": 21, "condition": "sunny"}

        from edgekit.chat.schema import declare

        return [Tool("get_weather", declare(get_weather), get_weather)]


@pytest.fixture
def weather() -> Weather:
    return Weather()


@pytest.fixture
def session(q8_engine, weather) -> Session:
    return Session(q8_engine, tools=weather.tools(), sampling=Sampling(temperature=0, max_tokens=100))


def answered(session, permission, verdict=None, stop=None):
    """Answer the question, replying to whatever is asked; returns how often that was, and the Answer."""
    asked = 0
    for event in answer_with_tools(session, QUESTION, stop, permission=permission):
        if isinstance(event, ToolAsked):
            asked += 1
            assert event.call == CALL
            if stop is not None:
                stop.set()
            else:
                event.asking.reply(verdict)
    assert isinstance(event, Answer)
    return asked, event


def test_what_is_allowed_once_is_asked_again(session, weather):
    permission = Permission()
    for times in (1, 2):
        asked, answer = answered(session, permission, "once")
        assert (asked, weather.asked) == (1, ["Paris"] * times)
        assert "21" in answer.answer


def test_what_is_always_allowed_is_asked_once(session, weather):
    permission = Permission()
    assert answered(session, permission, "always")[0] == 1
    assert answered(session, permission)[0] == 0
    assert weather.asked == ["Paris"] * 2
    permission.forget()
    assert answered(session, permission, "once")[0] == 1


def test_what_is_refused_is_told_to_the_model_and_not_asked_again(session, weather):
    permission = Permission()
    asked, answer = answered(session, permission, "never")
    assert (asked, weather.asked) == (1, [])
    refused = {message.text for message in answer.messages if message.role == "tool"}
    assert refused == {'{"error": "the person does not allow get_weather: it was not called"}'}
    assert answered(session, permission)[0] == 0
    assert weather.asked == []


@pytest.mark.parametrize(
    ("permission", "calls"),
    [
        (Permission(everything=True), 1),
        (Permission(["get_weather"], asks=False), 1),
        (Permission(["another"], asks=False), 0),
        (Permission(asks=False), 0),
    ],
)
def test_what_is_said_beforehand_is_not_asked(session, weather, permission, calls):
    assert answered(session, permission)[0] == 0
    assert len(weather.asked) == calls


def test_stop_ends_the_question(session, weather):
    asked, answer = answered(session, Permission(), stop=threading.Event())
    assert (asked, weather.asked, answer.finish_reason) == (1, [], "cancelled")
    # Every call that is kept has its answer.
    assert [message.role for message in answer.messages] == ["assistant", "tool"]
    assert "stopped" in answer.messages[1].text


def test_the_first_reply_counts():
    asking = Asking()
    asking.reply("never")
    asking.reply("always")
    assert asking.wait(threading.Event()) == "never"


def test_events_say_what_a_tool_answered_and_how_long_it_took(session):
    events = list(answer_with_tools(session, QUESTION, permission=Permission(everything=True)))
    [event] = [event for event in events if isinstance(event, ToolAnswered)]
    assert event.call is events[-1].tool_calls[0]
    assert json.loads(event.message.text)["temperature"] == 21
    assert event.seconds >= 0


def test_a_tool_that_takes_too_long_is_given_up(session, tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    session.tools = load_tools(tmp_path / "slow.py")
    *_, answer = answer_with_tools(session, QUESTION, permission=Permission(everything=True), limit=0.2)
    assert "given up" in answer.messages[1].text
    assert answer.finish_reason in ("stop", "length")


def test_an_answer_that_would_fill_the_context_is_cut(q8_plan, weather):
    with Engine.open(replace(q8_plan, context=512)) as engine:
        session = Session(engine, tools=weather.tools(), sampling=Sampling(temperature=0, max_tokens=40))
        long = replace(session.tools[0], function=lambda city: "sunny, " * 20_000)
        session.tools = (long,)
        *_, answer = answer_with_tools(session, QUESTION, permission=Permission(everything=True))
    said = json.loads(answer.messages[1].text)
    assert said["beginning"].startswith('"sunny, sunny')
    assert "of 140002 characters" in said["note"]
    assert answer.finish_reason in ("stop", "length")


def test_rounds_are_bounded_and_nothing_that_was_said_is_lost(session, monkeypatch):
    """A model that calls the same tool for ever is told to answer, then stopped."""
    said = "Wait. <|tool_call>call:again{}<tool_call|><|tool_response>"
    tokens = session.engine.vocabulary.tokenize(said)
    monkeypatch.setattr(session.engine, "write", lambda *_: iter(tokens))
    calls = []
    declaration = {"type": "function", "function": {"name": "again", "description": "Again", "parameters": {}}}
    session.tools = (Tool("again", declaration, lambda: calls.append(1)),)
    *_, answer = answer_with_tools(session, [user("Go!")], permission=Permission(everything=True))
    assert len(calls) == MOST_ROUNDS
    assert answer.finish_reason == "tool_calls"
    assert answer.answer.split() == ["Wait."] * (MOST_ROUNDS + 2)
    results = [message for message in answer.messages if message.role == "tool"]
    assert "no more calls" in results[-1].text
    # The last calls, which nobody answers, are not kept; what was said beside them is.
    assert (answer.messages[-1].tool_calls, answer.messages[-1].text) == ((), "Wait.")
