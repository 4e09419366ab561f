"""What is changed while a conversation goes on: model, sampling, pictures' tokens, theme."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from edgekit.chat.events import Event
from edgekit.chat.message import Message
from edgekit.chat.rounds import Answer
from edgekit.chat.session import Session
from edgekit.errors import FileError
from edgekit.tui.completion import complete
from edgekit.tui.model import Model, OnProgress, OpenSession

OpenChat = Callable[..., AbstractAsyncContextManager[Any]]


@pytest.fixture
def by_name(opener: Callable[[type[Session]], OpenSession]) -> Callable[[str], OpenSession]:
    """Every name is the bundled model, but one that is missing."""

    def find(name: str) -> OpenSession:
        def missing(report: OnProgress) -> Session:
            raise FileError(f"no such file: {name}")

        return missing if name == "missing.gguf" else opener(Session)

    return find


async def test_another_model_goes_on_with_conversation_and_settings(
    chat: OpenChat, by_name: Callable[[str], OpenSession]
) -> None:
    async with chat(opener=by_name) as person:
        await person.send("/set seed 7")
        await person.send("/system Be brief.")
        await person.press("ctrl+t")
        await person.sees("thinking on")
        await person.send("What are you?")
        await person.answered()
        former = person.app.model.session
        await person.send("/model other.gguf")
        await person.sees("goes on with the conversation")
        present = person.app.model.session
        assert present is not former
        assert (present.system, present.sampling.seed, present.think) == ("Be brief.", 7, True)
        await person.send("What are you?")
        await person.answered(2)


async def test_a_model_that_cannot_be_loaded_brings_the_former_one_back(
    chat: OpenChat, by_name: Callable[[str], OpenSession]
) -> None:
    async with chat(opener=by_name) as person:
        await person.send("/set top_k 5")
        await person.send("/model missing.gguf")
        await person.sees("✗ no such file: missing.gguf")
        await person.until(person.app.model.loaded.is_set, "the former model")
        await person.until(lambda: person.app.model.session.sampling.top_k == 5, "its settings")
        await person.send("What are you?")
        await person.answered()


async def test_a_second_switch_waits_until_the_first_is_done(
    chat: OpenChat, by_name: Callable[[str], OpenSession]
) -> None:
    gate = threading.Event()

    def by_name_late(name: str) -> OpenSession:
        open_session = by_name(name)
        return lambda report: gate.wait(60) and open_session(report)

    async with chat(opener=by_name_late) as person:
        person.app.switch_model("other.gguf")
        await person.until(lambda: person.app.model.session is None, "the former model to go")
        person.app.switch_model("third.gguf")
        await person.sees("✗ the model is still being loaded")
        gate.set()
        await person.sees("goes on with the conversation")
        await person.until(person.app.model.loaded.is_set, "the other model")
        await person.send("What are you?")
        await person.answered()


async def test_no_turn_begins_with_a_model_that_is_given_up(chat: OpenChat, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    monkeypatch.setattr(Session, "keep_state", lambda *_: gate.wait(60))
    async with chat() as person:
        await person.send("What are you?")
        await person.answered()
        model, history = person.app.model, person.app.chat.history
        former = model.session
        # Both wait until a state is on the disk.
        model.keep_state("a state", history)
        unloading = asyncio.create_task(model.unload())
        await asyncio.sleep(0)
        model.begin_turn()
        turn = asyncio.create_task(_events(model, history[:1]))
        await asyncio.sleep(0)
        gate.set()
        assert await unloading is former
        model.stop()
        assert await turn == []


async def _events(model: Model, messages: Sequence[Message]) -> list[Event | Answer]:
    return [event async for event in model.answer(messages)]


async def test_asking_again_twice_at_once_asks_once(chat: OpenChat, red_circle: Path) -> None:
    asked = []

    class Counted(Session):
        """The real session; notes how often it is asked."""

        def answer(self, messages: Sequence[Message], stop: threading.Event | None = None) -> Iterator[Event]:
            asked.append(messages)
            return super().answer(messages, stop)

    async with chat(Counted) as person:
        await person.attach(red_circle)
        await person.sees("400x300")
        await person.send("What is in this picture?")
        await person.answered()
        person.app.chat.action_regenerate()
        person.app.chat.action_regenerate()
        await person.until(lambda: len(asked) == 2, "the second turn")
        await person.answered()
        await person.pilot.pause(0.5)
        assert len(asked) == 2


async def test_sampling_is_set_and_shown(chat: OpenChat) -> None:
    async with chat() as person:
        await person.send("/set temperature 0.7")
        await person.sees("· temperature 0.7")
        assert person.app.model.session.sampling.temperature == 0.7
        await person.send("/set image_tokens 560")
        assert person.app.model.session.image_tokens == 560
        await person.send("/set")
        await person.sees("temperature 0.7 · top_p", "image_tokens 560")
        await person.send("/set image_tokens 3")
        await person.sees("✗ image_tokens takes 70")


async def test_a_theme_is_chosen_by_name(chat: OpenChat) -> None:
    async with chat() as person:
        await person.send("/theme nord")
        await person.until(lambda: person.app.theme == "nord", "the theme")
        await person.send("/theme pink")
        await person.sees("there is no theme 'pink'")
        await person.send("/theme dark")
        await person.until(lambda: person.app.theme == "edgekit-dark", "the dark theme")


def test_models_at_hand_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gemma-4-E2B-it-Q4_0.gguf").touch()
    (tmp_path / "gemma.png").touch()
    monkeypatch.chdir(tmp_path)
    assert complete("/model gem") == "ma-4-E2B-it-Q4_0.gguf"
    assert complete("/model de") == "mo"
    assert complete("/set temp") == "erature "
