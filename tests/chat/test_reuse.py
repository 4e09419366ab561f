"""Whatever is reused, the answer is that of a run from nothing.

Generated conversations with pictures and sounds on the bundled model: asked, edited, asked again, forked, stopped,
saved and loaded, with guesses. Where arithmetic depends on how a prompt was cut into batches, two tokens may be as good
as equal: such a difference is allowed only where the own margin of the fresh run between the two is tiny.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from edgekit import paths
from edgekit.chat.events import Finished, TextPiece, ThoughtPiece
from edgekit.chat.message import Media, Message, user
from edgekit.chat.session import Session
from edgekit.engine.drafting import Pace, Way
from edgekit.engine.engine import Engine
from edgekit.engine.prompt import entries
from edgekit.engine.sampling import Sampling

CONVERSATIONS = int(os.environ.get("EDGEKIT_CONVERSATIONS", "25"))
TURNS = 7
GREEDY = Sampling(temperature=0, max_tokens=48)
# Logits; the same batches give 0.
TINY = 0.1
QUESTIONS = [
    "What is this?",
    "Which shape is it?",
    "Which colour?",
    "Who are you?",
    "What can you do?",
    "Hello!",
    "Thank you.",
    "And now? " * 40,
    "Say it again, and then once more.",
]


@pytest.fixture(scope="module")
def fresh(q8_plan) -> Iterator[Engine]:
    with Engine.open(q8_plan) as engine:
        yield engine


@pytest.fixture(scope="module")
def used(q8_plan) -> Iterator[Engine]:
    with Engine.open(q8_plan) as engine, pytest.MonkeyPatch.context() as patch:
        patch.setattr("edgekit.engine.saved_state._disk_speed", lambda folder: 1e12)
        yield engine


def media() -> list[Media]:
    samples = sorted(paths.demo_samples().iterdir())
    kinds = {".png": "image", ".wav": "audio"}
    return [Media(kinds[path.suffix], path) for path in samples if path.suffix in kinds]  # type: ignore[arg-type]


@dataclass
class Conversation:
    """One history, changed in every way that a person can change it."""

    session: Session
    dice: random.Random
    history: list[Message] = field(default_factory=list)

    def question(self) -> Message:
        attached = [self.dice.choice(media())] if self.dice.random() < 0.35 else []
        return user(self.dice.choice(QUESTIONS), *attached)

    def change(self) -> str:
        """Change what was said so far, then say what is done to the answer."""
        act = self.dice.choice(["ask", "ask", "ask", "edit", "again", "fork", "stop", "reload", "think"])
        asked = [place for place, message in enumerate(self.history) if message.role == "user"]
        if act == "again" and asked:
            del self.history[asked[-1] + 1 :]
            return act
        if act in ("edit", "fork") and asked:
            del self.history[self.dice.choice(asked) if act == "fork" else asked[-1] :]
        if act == "think":
            self.session.think = not self.session.think
        if act == "reload":
            engine = self.session.engine
            if engine.save_state("reuse", self.session.prompt(self.history)):
                engine.cache.clear()
                assert engine.load_state("reuse")
        self.history.append(self.question())
        return act


def answer(session: Session, history: list[Message], *, words: int | None = None) -> Finished:
    """Answer; with `words`, stop after so many pieces."""
    stop, heard, finished = threading.Event(), 0, None
    for event in session.answer(history, stop):
        heard += isinstance(event, TextPiece | ThoughtPiece)
        if words is not None and heard >= words:
            stop.set()
        finished = event if isinstance(event, Finished) else finished
    assert finished is not None
    return finished


def said(message: Message) -> str:
    return f"{message.thought}|{message.text}|{message.tool_calls}"


def margin(session: Session, history: list[Message], tokens: list[int]) -> float:
    """Return the smallest distance, along an answer, between the likeliest token and the next."""
    engine = session.engine
    engine.cache.clear()
    for _ in engine.read(session.prompt(history)):
        continue
    smallest = np.inf
    for token in tokens:
        best = np.sort(engine.logits())[-2:]
        smallest = min(smallest, float(best[1] - best[0]))
        engine.cache.append(token)
    return smallest


def written_afresh(session: Session, history: list[Message]) -> list[int]:
    session.engine.cache.clear()
    for _ in session.engine.read(session.prompt(history)):
        continue
    return list(session.engine.write(GREEDY, drafting="never"))


@pytest.mark.parametrize("seed", range(CONVERSATIONS))
def test_answers_are_those_of_a_fresh_run(seed: int, used: Engine, fresh: Engine):
    dice = random.Random(seed)
    used.cache.clear()
    used._ways = [Way(way.guesser, Pace("always" if seed % 2 else "never")) for way in used._ways]
    talk = Conversation(Session(used, sampling=GREEDY), dice)
    for _ in range(TURNS):
        act = talk.change()
        finished = answer(talk.session, talk.history, words=dice.randrange(6) if act == "stop" else None)
        if act != "stop":
            same = Session(fresh, sampling=GREEDY, think=talk.session.think)
            fresh.cache.clear()
            fresh._ways = []
            expected = answer(same, talk.history)
            if said(finished.message) != said(expected.message):
                tokens = written_afresh(same, talk.history)
                close = margin(same, talk.history, tokens)
                print(f"seed {seed}, {act}: margin {close:.3f}: {said(finished.message)} / {said(expected.message)}")
                assert close < TINY
        if finished.message.parts or finished.message.tool_calls:
            talk.history.append(finished.message)
        else:
            talk.history.pop()


def test_a_turn_computes_only_what_is_new(used: Engine):
    """An edited question, one asked again, an answer whose thought has left: each goes on from where it changed."""
    used.cache.clear()
    picture, session = media()[0], Session(used, sampling=GREEDY, think=True)
    history = [user("What is this?", picture)]
    history.append(answer(session, history).message)
    history.append(user("Which colour?"))
    second = answer(session, history)
    whole = len(entries(session.prompt(history[:1])))
    # The picture and the first question stay; the thought leaves with the answer's marks.
    assert second.usage.cached_tokens >= whole - 1
    again = answer(session, history)
    assert again.usage.cached_tokens == again.usage.prompt_tokens - 1
    history[-1] = user("Which shape?")
    edited = answer(session, history)
    before = len(entries(session.prompt(history[:2])))
    assert edited.usage.cached_tokens >= before - 6


def test_stopped_while_reading_keeps_what_was_read(used: Engine):
    used.cache.clear()
    session = Session(used, sampling=GREEDY)
    long = [user("What is this? " * 400)]
    stop = threading.Event()
    for event in session.answer(long, stop):
        if getattr(event, "done", 0) > 600:
            stop.set()
    kept = len(used.cache)
    assert kept > 600
    assert answer(session, long).usage.cached_tokens >= kept - 1


def test_samples_are_there():
    assert {each.kind for each in media()} == {"image", "audio"}
    assert all(isinstance(each.path, Path) for each in media())
