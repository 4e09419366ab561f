"""Downloading a model while the conversation goes on, with a bar in it."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

from edgekit.chat.pull import Arrival, pull
from edgekit.chat.wanted import Wanted, find_wanted
from edgekit.convert.sizes import size
from edgekit.errors import EdgekitError, UnavailableError
from edgekit.hub.remote import look
from edgekit.tui.feed import Emit, Feed
from edgekit.tui.notice import Notice
from edgekit.tui.printable import printable
from edgekit.tui.status import bar

if TYPE_CHECKING:
    from edgekit.tui.chat_screen import ChatScreen

_BAR = 24
# What a screen over SSH can take; a piece of a file arrives more often.
_SECONDS = 0.1


class StoppedError(EdgekitError):
    """The person gave a download up."""


class PullBar(Static):
    """How far a download has come."""

    def show(self, name: str, arrival: Arrival | None) -> None:
        """Draw it; None where the Hub is still asked what there is."""
        self.update(_line(name, arrival))


class Pulling:
    """One download at a time, in a thread of its own."""

    def __init__(self, screen: ChatScreen) -> None:
        self._screen = screen
        self._stop: threading.Event | None = None

    async def pull(self, name: str) -> str | None:
        """Download a model, or what suits this machine, and return its name; None where it did not come.

        What the Hub refuses and what fails is said in the conversation. Called again with `stop`, gives it up; what
        arrived is kept.
        """
        if name == "stop" and self._stop:
            self._stop.set()
            return None
        if self._stop:
            raise EdgekitError("a model is being downloaded: /pull stop gives it up")
        if name == "stop":
            raise EdgekitError("nothing is being downloaded")
        self._stop = threading.Event()
        line = PullBar(classes="done")
        line.show(name or "what suits this machine", None)
        await self._screen.say(line, follow=True)
        try:
            return await self._watch(name, line, self._stop)
        except Exception as problem:
            await self._screen.complain(problem)
            return None
        finally:
            self._stop = None
            await line.remove()

    async def _watch(self, name: str, line: PullBar, stop: threading.Event) -> str:
        wanted, why = await asyncio.to_thread(_find, name)
        if why:
            await self._screen.say(Notice(f"not compared with the Hub: {why}"), follow=True)
            return wanted.name

        def work(emit: Emit[Arrival]) -> None:
            def watch(arrival: Arrival) -> None:
                if stop.is_set():
                    kept = ": what arrived is kept for the next /pull" if arrival.all_done else ""
                    raise StoppedError(f"{wanted.name} is not downloaded{kept}")
                emit(arrival)

            pull(wanted, watch)

        last = 0.0
        async for arrival in Feed(work, "edgekit-pull"):
            now = asyncio.get_running_loop().time()
            if now - last >= _SECONDS:
                line.show(wanted.name, arrival)
                last = now
        return wanted.name


def _find(name: str) -> tuple[Wanted, str]:
    """Return a model's files, and why the Hub could not be asked where they are here already."""
    from functools import lru_cache

    from edgekit.chat.advice import choose
    from edgekit.chat.kept_files import find_kept
    from edgekit.hardware.probe import probe
    from edgekit.hub.cache import check_cache

    name, projector = choose(name or None, "", "", probe)
    try:
        check_cache()
        return find_wanted(name, "", lru_cache(look), projector=projector), ""
    except UnavailableError as problem:
        return find_kept(name, "", problem, projector=projector), str(problem)


def _line(name: str, arrival: Arrival | None) -> Content:
    if arrival is None:
        return Content(f"· looking for {printable(name)}")
    share = arrival.all_done / max(1, arrival.all_bytes)
    there = f" {share:.0%} of {size(arrival.all_bytes)}"
    text = f"  {printable(arrival.text)}" if arrival.text else ""
    return Content.assemble(f"· {printable(name)}  ", bar(share, _BAR, "$secondary"), there, text)


async def go_on_with(screen: ChatScreen, name: str) -> None:
    """Say that a model is here, and go on with it where no answer is under way."""
    from edgekit.tui.app import ChatApp

    app = screen.app
    assert isinstance(app, ChatApp)
    if screen.answering:
        await screen.say(Notice(f"{name} is here: /model {name} goes on with it"), follow=True)
    else:
        app.switch_model(name)
