"""How each part looks at 80x24; `--snapshot-update` takes new pictures, for a person to look at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tui.conftest import LIMIT, Driver

from edgekit.chat.events import Finished, Prefilling, TextPiece, ThoughtPiece, Timings, Usage
from edgekit.chat.message import Message, Text
from edgekit.chat.session import Session
from edgekit.hardware.vitals import Vitals
from edgekit.tui.answer import Answer
from edgekit.tui.app import ChatApp
from edgekit.tui.attachment import read_attachment
from edgekit.tui.composer import Composer
from edgekit.tui.gauges import Gauges
from edgekit.tui.model import OpenSession
from edgekit.tui.question import Question
from edgekit.tui.thought import Thought

_MIB = 1 << 20
_GAUGES = Gauges(700 * _MIB, Vitals(61.4))
_HOT = Gauges(1900 * _MIB, Vitals(84.8, "throttled"))
_TURN = Finished(Message("assistant", (Text("x"),)), "stop", Usage(1210, 1100, 0, 48), Timings(0, 0.5, 2.0))
_CODE = """Two ways:

1. **Short**, with `sum`.
2. Long, with a loop.

```python
def total(numbers: list[int]) -> int:
    return sum(numbers)
```

| size | time |
| ---- | ---- |
| 10   | 1 µs |
"""
Scene = Callable[[Driver], Awaitable[None]]


@pytest.fixture
def looks(snap_compare: Any, opener: Callable[[type[Session]], OpenSession]) -> Callable[..., bool]:
    """Compare the screen after a scene with its picture."""

    def compare(scene: Scene, gauges: Gauges = _GAUGES, size: tuple[int, int] = (80, 24), **options: Any) -> bool:
        app = ChatApp(opener(Session), name="demo", toy=True, gauges=lambda: gauges, **options)

        async def before(pilot: Any) -> None:
            person = Driver(app, pilot)
            await person.until(lambda: app.chat.status.status.planned is not None, "the model")
            composer = app.chat.query_one(Composer)
            composer.cursor_blink = False
            # What the machine at hand holds and plans is its own.
            app.chat.status.change(planned=900 * _MIB)
            app.chat._look()
            await scene(person)
            await pilot.pause()
            await app.model.close(LIMIT)

        return bool(snap_compare(app, terminal_size=size, run_before=before))

    return compare


async def _nothing(person: Driver) -> None:
    await person.sees("Ask something")


async def _code(person: Driver) -> None:
    answer = Answer()
    await person.app.chat.say(Question("How do I add numbers?"))
    await person.app.chat.say(answer)
    await answer.feed(ThoughtPiece("A list of numbers"))
    await answer.feed(TextPiece(_CODE))
    await answer.feed(_TURN)
    answer.query_one(Thought).title = "Thought for 1.2 s · 18 tokens"
    status = person.app.chat.status
    status.status = status.status.after(_TURN)
    await person.sees("1 µs")


async def _media(person: Driver, tmp_path: Path) -> None:
    picture = Image.new("RGB", (6, 6), "orange")
    picture.paste("navy", (2, 2, 4, 4))
    picture.save(tmp_path / "drawn.png")
    attachments = [
        read_attachment(tmp_path / "drawn.png"),
        read_attachment(Path("tests/data/digits/7-en-gb+m7-p28-s190.wav")),
    ]
    await person.app.chat.say(Question("What is this, and what do you hear?", attachments))
    answer = Answer()
    await person.app.chat.say(answer)
    await answer.feed(Prefilling(128, 410))
    await person.sees("reading 128 of 410")


def test_first_screen(looks: Callable[..., bool]) -> None:
    assert looks(_nothing)


def test_first_screen_with_advice(looks: Callable[..., bool]) -> None:
    advice = (
        "This machine suits gemma-4-E2B-it:Q4_0. To get it and talk to it:",
        "edgekit pull c",
        "edgekit chat c",
    )

    async def scene(person: Driver) -> None:
        await person.sees("edgekit chat c")

    assert looks(scene, advice=lambda: advice)


def test_thought_code_and_table(looks: Callable[..., bool]) -> None:
    assert looks(_code)


def test_light_theme(looks: Callable[..., bool]) -> None:
    async def scene(person: Driver) -> None:
        person.app.choose_theme("light")
        await _code(person)

    assert looks(scene)


def test_picture_sound_and_reading(looks: Callable[..., bool], tmp_path: Path) -> None:
    assert looks(lambda person: _media(person, tmp_path))


def test_status_of_a_hot_and_full_board(looks: Callable[..., bool]) -> None:
    async def scene(person: Driver) -> None:
        person.app.chat.status.change(used=7900, thinking=True)
        await person.send("/set")
        await person.sees("temperature")

    assert looks(scene, gauges=_HOT)


def test_wide_status(looks: Callable[..., bool]) -> None:
    async def scene(person: Driver) -> None:
        await _code(person)
        person.app.chat.status.change(thinking=True)

    assert looks(scene, size=(160, 50))


def test_loading(looks: Callable[..., bool]) -> None:
    async def scene(person: Driver) -> None:
        person.app.chat.status.change(activity="loading the model", share=0.4, context=0, memory=None, temperature=None)

    assert looks(scene)


def test_files(looks: Callable[..., bool]) -> None:
    async def scene(person: Driver) -> None:
        await person.press("ctrl+o")
        await person.sees("red-circle.png")

    assert looks(scene, folder=Path("edgekit/demo/samples"))


def test_small_screen(looks: Callable[..., bool]) -> None:
    assert looks(_code, size=(40, 12))
