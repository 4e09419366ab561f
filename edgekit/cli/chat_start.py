"""With what `edgekit chat` begins: a model, how it runs, and the conversation that goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from edgekit.chat.run_options import RunOptions
from edgekit.cli import output
from edgekit.errors import EdgekitError, FileError

if TYPE_CHECKING:
    from edgekit.chat.saved import Saved
    from edgekit.chat.session import Session
    from edgekit.chat.tools import Tool
    from edgekit.engine.loaded_model import LoadedModel
    from edgekit.tui.model import OnProgress, OpenSession

DEMO = "demo"


@dataclass(frozen=True)
class Manner:
    """What the command line says of how to answer."""

    system: str | None
    think: bool
    temperature: float | None


@dataclass(frozen=True)
class Start:
    """What was asked for, and what a saved conversation says where nothing was."""

    model: str
    options: RunOptions
    manner: Manner
    saved: Saved | None

    @property
    def going_on(self) -> str:
        """Return the line that says which conversation goes on, and with which model."""
        if self.saved is None:
            return ""
        from edgekit.chat.saved import lasting_name, title_of

        former, now = self.saved.state.settings.model, lasting_name(self.model)
        title = self.saved.title or title_of(self.saved.messages, self.saved.state.unsent)
        adapter = f" with {self.options.adapter.name}" if self.options.adapter else ""
        instead = f", not {former} as before" if former and former != now else ""
        return output.plain(f"going on with conversation {self.saved.id} ({title}), model {now}{adapter}{instead}")

    def opener(self, tools: Sequence[Tool]) -> Callable[[str], OpenSession]:
        """Return what opens a model by its name; the options are those of the first model."""

        def opener(name: str) -> OpenSession:
            options = self.options if name == self.model else self.options.of_another_model()

            def open_session(report: OnProgress) -> Session:
                from edgekit.chat.runnable import find_runnable
                from edgekit.engine.open_model import open_model

                plan = find_runnable(name, options, report)
                return self._session(open_model(plan, lambda share: report(share, 1)), tools)

            return open_session

        return opener

    def _session(self, engine: LoadedModel, tools: Sequence[Tool]) -> Session:
        """Return a session with the saved conversation's settings; those of the command line come before them."""
        from edgekit.chat.saved import apply
        from edgekit.chat.session import Session

        session, manner = Session(engine, tools=tools), self.manner
        if self.saved is not None:
            apply(self.saved.state.settings, session)
        if manner.system is not None:
            session.system = manner.system
        if manner.temperature is not None:
            session.sampling = replace(session.sampling, temperature=manner.temperature)
        session.think = session.think or manner.think
        return session


def begin(model: str | None, saved: Saved | None, options: RunOptions, manner: Manner) -> Start:
    """Return the model that was named, or else the saved conversation's with its adapter, or else the demo."""
    if model or saved is None or not saved.state.settings.model:
        return Start(model or DEMO, options, manner, saved)
    settings = saved.state.settings
    if settings.adapter and options.adapter is None:
        if not Path(settings.adapter).is_file():
            raise FileError(
                f"there is no {settings.adapter} any more, the adapter of conversation {saved.id}: "
                f"`edgekit chat {settings.model} --conversation {saved.id}` goes on without it"
            )
        # The adapter's numbers are those of one precision.
        precision = options.precision or settings.precision or None
        options = replace(options, adapter=Path(settings.adapter), precision=precision)
    return Start(settings.model, options, manner, saved)


def saved_conversation(last: bool, id: int | None) -> Saved | None:
    """Return the last conversation, or that of a number; EdgekitError where there is none."""
    if last and id is not None:
        raise typer.BadParameter("say one of them, or the other", param_hint="--continue, --conversation")
    if not last and id is None:
        return None
    from edgekit.chat.store import Store

    store = Store(say=output.hint)
    if id is None:
        latest = store.latest()
        if latest is None:
            raise EdgekitError("there is no conversation to go on with: `edgekit chat` begins one")
        id = latest.id
    saved, _ = store.load(id)
    store.close()
    return saved
