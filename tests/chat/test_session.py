"""Turns of a conversation: events in order, stopping, limits, and what is kept."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from PIL import Image

from edgekit.chat.events import Finished, Prefilling, TextPiece, ThoughtPiece
from edgekit.chat.message import Media, user
from edgekit.chat.permission import Permission
from edgekit.chat.rounds import Answer, answer_with_tools
from edgekit.chat.session import Session
from edgekit.engine.engine import Engine
from edgekit.engine.sampling import Sampling
from edgekit.errors import EdgekitError, FileError, UnsupportedError

GREEDY = Sampling(temperature=0, max_tokens=60)


@pytest.fixture
def session(q8_engine):
    q8_engine.cache.clear()
    return Session(q8_engine, sampling=GREEDY)


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "picture.png"
    Image.new("RGB", (100, 100), "red").save(path)
    return Media("image", path)


def test_events_come_in_order(session):
    *events, last = session.answer([user("Hello!")])
    assert isinstance(last, Finished)
    kinds = [type(event) for event in events]
    reading = kinds.count(Prefilling)
    assert kinds[:reading] == [Prefilling] * reading
    assert all(kind in (TextPiece, ThoughtPiece) for kind in kinds[reading:])
    assert [event.done for event in events[:reading]] == sorted(event.done for event in events[:reading])
    assert events[reading - 1].done == events[reading - 1].total == last.usage.prompt_tokens
    assert "".join(event.text for event in events if isinstance(event, TextPiece)) == last.message.text
    assert last.message.role == "assistant"
    assert last.usage.completion_tokens > 0
    assert min(last.timings.prefill, last.timings.decode) > 0


def test_the_second_turn_reads_only_what_is_new(session, picture):
    history = [user("What is it?", picture)]
    *_, first = session.answer(history)
    assert first.usage.cached_tokens == 0
    assert first.usage.media_tokens > 200
    history += [first.message, user("Thank you.")]
    *_, second = session.answer(history)
    assert second.usage.cached_tokens >= first.usage.prompt_tokens - 1
    assert second.usage.media_tokens == first.usage.media_tokens


def test_reuse_does_not_change_an_answer(session):
    """The same batches: each turn is a run of its own on both sides."""
    history = [user("Hello!")]
    *_, first = session.answer(history)
    history += [first.message, user("What can you do?")]
    *_, second = session.answer(history)
    session.engine.cache.clear()
    *_, again = session.answer(history[:1])
    *_, third = session.answer(history)
    assert (again.message, third.message) == (first.message, second.message)


def test_max_tokens_ends_with_length(session):
    session.sampling = replace(GREEDY, max_tokens=2)
    *_, last = session.answer([user("What can you do?")])
    assert last.finish_reason == "length"
    assert last.usage.completion_tokens == 2


def test_stop_keeps_the_half_answer(session):
    stop, events = threading.Event(), []
    session.sampling = Sampling(temperature=0)
    for event in session.answer([user("Who are you?")], stop):
        events.append(event)
        if isinstance(event, TextPiece):
            stop.set()
    assert events[-1].finish_reason == "cancelled"
    assert events[-1].message.text == "".join(event.text for event in events if isinstance(event, TextPiece))
    assert events[-1].message.text


def test_stop_before_the_first_word(session):
    stop = threading.Event()
    stop.set()
    *_, last = session.answer([user("Who are you?")], stop)
    assert (last.finish_reason, last.message.text) == ("cancelled", "")
    # The next turn starts from a cache that is in order.
    *_, last = session.answer([user("Who are you?")])
    assert last.message.text


def test_a_conversation_longer_than_the_context(q8_plan):
    with Engine.open(replace(q8_plan, context=256)) as engine:
        session = Session(engine, sampling=GREEDY)
        with pytest.raises(EdgekitError, match="the context holds 256"):
            list(session.answer([user("word " * 400)]))
        *_, last = session.answer([user("Hello!")])
        assert last.message.text


def test_what_the_model_cannot_take_is_refused_first(q8_plan, tmp_path):
    with Engine.open(replace(q8_plan, projector=None)) as engine:
        session = Session(engine)
        for kind, what in (("image", "pictures"), ("audio", "sound")):
            # Even a file that is not there: nothing is read before.
            with pytest.raises(UnsupportedError, match=f"takes no {what} without its projector"):
                session.answer([user("What is it?", Media(kind, tmp_path / "missing"))])


def test_a_picture_that_is_gone(session, tmp_path):
    with pytest.raises(FileError, match="no such picture"):
        session.answer([user("What is it?", Media("image", tmp_path / "gone.png"))])


def test_settings_change_between_turns(session):
    def text():
        [run] = session.prompt([user("Hello!")])
        return b"".join(map(session.engine.vocabulary.piece, run)).decode()

    plain = text()
    session.system, session.think = "Be short.", True
    assert "Be short." in text()
    assert "<|think|>" in text()
    session.system, session.think = None, False
    assert text() == plain


def test_an_answer_without_tools_is_one_round(session):
    *events, answer = answer_with_tools(session, [user("Hello!")], permission=Permission())
    assert isinstance(answer, Answer)
    assert answer.answer == events[-1].message.text
    assert answer.tool_calls == ()
