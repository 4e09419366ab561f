"""Presets as slash commands, and boxes drawn in the conversation."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from edgekit import paths
from edgekit.chat.json_schema import grammar
from edgekit.chat.session import Session
from edgekit.engine.engine import Engine
from edgekit.engine.sampling import Sampling
from edgekit.tui.picture import Picture

OpenChat = Callable[..., AbstractAsyncContextManager[Any]]
BOX = {"const": [{"box_2d": [250, 250, 750, 750], "label": "circle"}]}


class Boxes(Session):
    """The real session, which a schema makes find one box in every picture."""

    def __init__(self, engine: Engine, *, sampling: Sampling) -> None:
        super().__init__(engine, sampling=sampling)
        self.grammar = grammar(BOX)


async def test_presets_ask_about_what_is_attached(chat: OpenChat, red_circle: Path) -> None:
    async with chat(size=(80, 40)) as person:
        await person.send("/caption")
        await person.sees("caption needs a picture")
        await person.attach(red_circle)
        await person.sees("drawn shape.png · 400x300")
        await person.send("/caption")
        await person.answered()
        question = person.app.chat.history[0]
        assert question.text == "Write single detailed caption for this image."
        assert question.media[0].path == red_circle
        # The picture of the conversation is still there to ask about, with a budget of its own.
        await person.send("/read sign")
        await person.answered(2)
        assert person.app.chat.history[2].text == "What does the sign say?"


async def test_text_is_read_with_more_tokens(chat: OpenChat, red_circle: Path) -> None:
    async with chat(size=(80, 40)) as person:
        await person.attach(red_circle)
        await person.sees("drawn shape.png · 400x300")
        await person.send("/read")
        await person.answered()
        assert person.app.chat.history[0].media[0].image_tokens == 1120
        assert person.app.chat.status.status.used > 900


async def test_speech_presets(chat: OpenChat) -> None:
    async with chat(size=(80, 40)) as person:
        await person.attach(paths.demo_samples() / "seven.wav")
        await person.sees("♪ seven.wav")
        await person.send("/translate")
        await person.sees("a language to translate into")
        await person.send("/translate French")
        await person.answered()
        assert "then translate it into French" in person.app.chat.history[0].text


async def test_boxes_are_drawn_and_saved(
    chat: OpenChat, red_circle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with chat(Boxes, size=(80, 60)) as person:
        await person.send("/boxes drawn.png")
        await person.sees("no boxes in a picture")
        await person.attach(red_circle)
        await person.sees("drawn shape.png · 400x300")
        await person.send("/detect circle")
        await person.answered()
        # The picture of the question, and the one with the box.
        await person.until(lambda: len(person.app.screen.query(Picture)) == 2, "the boxes on the picture")
        await person.send("/boxes drawn.txt")
        await person.sees("is no name for a picture")
        await person.send("/boxes drawn.png")
        await person.sees("saved")
        with Image.open(tmp_path / "drawn.png") as drawn, Image.open(red_circle) as before:
            assert drawn.size == before.size
            assert drawn.convert("RGB").tobytes() != before.convert("RGB").tobytes()
