"""Leaving at any moment: nothing hangs, nothing stays behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from edgekit.chat.session import Session
from edgekit.errors import FileError
from edgekit.tui.app import ChatApp
from edgekit.tui.model import OnProgress, OpenSession

OpenChat = Callable[..., AbstractAsyncContextManager[Any]]


async def _left(app: ChatApp) -> None:
    for _ in range(2000):
        if not app.is_running:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the application did not leave")


async def test_quitting_while_the_model_answers(chat: OpenChat, pausing: type[Session]) -> None:
    async with chat(pausing) as person:
        await person.send("What are you?")
        await person.sees("answering")
        await person.press("ctrl+q")
        await _left(person.app)
        assert not person.app.model.running
        assert person.app.return_code == 0


async def test_quitting_while_the_model_loads(opener: Callable[[type[Session]], OpenSession]) -> None:
    gate = threading.Event()

    def open_session(report: OnProgress) -> Session:
        report(1, 2)
        gate.wait(60)
        return opener(Session)(report)

    app = ChatApp(open_session, name="demo")
    async with app.run_test() as pilot:
        await pilot.pause()
        await pilot.press("ctrl+q")
        await _left(app)
        assert app.model.running
        gate.set()
    # The thread that comes too late closes what it has opened.
    assert app.model.session is None


async def test_a_model_that_cannot_be_loaded_ends_the_application() -> None:
    def open_session(report: OnProgress) -> Session:
        raise FileError("the file is cut in half")

    app = ChatApp(open_session, name="half.gguf")
    async with app.run_test() as pilot:
        await pilot.pause()
        await app.workers.wait_for_complete()
    assert isinstance(app.return_value, FileError)
    assert app.return_code == 1
