"""What the tests of the terminal application share: the bundled model behind the real application."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from terminal import Terminal
from textual import events
from textual.pilot import Pilot

from edgekit import paths
from edgekit.chat.events import Event, TextPiece
from edgekit.chat.message import Message
from edgekit.chat.models import find_plan
from edgekit.chat.session import Session
from edgekit.engine.engine import Engine
from edgekit.engine.sampling import Sampling
from edgekit.fit.plan import Plan
from edgekit.tui.app import ChatApp
from edgekit.tui.model import OnProgress, OpenSession

# Seconds until a wait gives up: generous, for a machine that does other work too.
LIMIT = 120.0
OpenChat = Callable[..., AbstractAsyncContextManager["Driver"]]


class Driver:
    """A person at the keyboard, looking at the screen."""

    def __init__(self, app: ChatApp, pilot: Pilot[Exception]) -> None:
        self.app, self.pilot = app, pilot

    @property
    def screen(self) -> str:
        """The characters on the screen, line by line."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip) for strip in strips)

    async def type(self, text: str) -> None:
        await self.pilot.press(*text)

    async def send(self, text: str) -> None:
        await self.type(text)
        await self.pilot.press("enter")

    async def attach(self, path: Path) -> None:
        """Type the command and paste the path."""
        await self.type("/attach ")
        await self.paste(str(path))
        await self.pilot.press("enter")

    async def paste(self, text: str) -> None:
        """Paste as the terminal does it: through the application."""
        self.app.post_message(events.Paste(text))
        await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def sees(self, *texts: str) -> None:
        """Wait until all texts are on the screen, whatever the line breaks."""
        await self.until(lambda: all(text in " ".join(self.screen.split()) for text in texts), f"the screen: {texts}")

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + LIMIT
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain for {what}:\n{self.screen}"
            await self.pilot.pause(0.05)

    async def answered(self, count: int = 1) -> None:
        """Wait until the turn is over."""
        turns = self.app.chat.history
        await self.until(lambda: len(turns) == 2 * count and not self.app.chat.answering, f"{count} answers")


class PausingSession(Session):
    """The real session, which waits in the middle of its answer until it is stopped."""

    def answer(self, messages: Sequence[Message], stop: threading.Event | None = None) -> Iterator[Event]:
        assert stop is not None
        pieces = 0
        for event in super().answer(messages, stop):
            yield event
            pieces += isinstance(event, TextPiece)
            if pieces == 3:
                stop.wait(LIMIT)


@pytest.fixture(autouse=True)
def outside_of_tmux(monkeypatch: pytest.MonkeyPatch) -> None:
    """What tests copy does not go into the buffer of whoever runs them."""
    monkeypatch.delenv("TMUX", raising=False)


@pytest.fixture
def pausing() -> type[Session]:
    return PausingSession


@pytest.fixture(scope="session")
def demo_plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """The plan of the bundled model, converted once for all tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        # Where cores are shared with other work, llama.cpp's threads wait for each other more than they compute.
        return replace(find_plan("demo"), threads=1, batch_threads=1)


@pytest.fixture(autouse=True)
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Conversations are saved where the test can look, never among the person's own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


@pytest.fixture
def opener(demo_plan: Plan) -> Callable[[type[Session]], OpenSession]:
    """Open the bundled model with a session of a given kind; it always takes the likeliest token."""

    def kind(session: type[Session]) -> OpenSession:
        def open_session(report: OnProgress) -> Session:
            engine = Engine.open(demo_plan, lambda share: report(share, 1))
            return session(engine, sampling=Sampling(temperature=0, max_tokens=128))

        return open_session

    return kind


@pytest.fixture
def chat(opener: Callable[[type[Session]], OpenSession]) -> OpenChat:
    """Start the application, wait until the model is there, and leave it at the end."""

    @asynccontextmanager
    async def start(
        session: type[Session] = Session,
        size: tuple[int, int] = (80, 24),
        folder: Path | None = None,
        **options: Any,
    ) -> AsyncIterator[Driver]:
        app = ChatApp(opener(session), name="demo", toy=True, folder=folder, **options)
        async with app.run_test(size=size, notifications=True) as pilot:
            driver = Driver(app, pilot)
            await asyncio.wait_for(app.model.loaded.wait(), LIMIT)
            yield driver
            app.model.stop()
            await driver.until(lambda: not app.model.running, "the model to stop")
            await app.model.close(LIMIT)
            await app.chat.saving.close()

    return start


@pytest.fixture
def terminal(environment: dict[str, str]) -> Iterator[Terminal]:
    """A real terminal in a home of the tests' own."""
    terminal = Terminal({key: value for key, value in environment.items() if key not in ("NO_COLOR", "TMUX")})
    yield terminal
    terminal.close()


@pytest.fixture
def red_circle(tmp_path: Path) -> Path:
    """A sample picture under a name with a space that does not say what it shows."""
    return shutil.copy(paths.demo_samples() / "red-circle.png", tmp_path / "drawn shape.png")
