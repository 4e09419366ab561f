"""Loading a model, with its progress in the status line; and going on with another one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from edgekit.chat.onnx_fit import memory
from edgekit.chat.session import Session
from edgekit.engine.onnx.folder import check_folder
from edgekit.errors import EdgekitError
from edgekit.fit.expected import expected_memory
from edgekit.fit.onnx_plan import OnnxPlan
from edgekit.fit.plan import Plan
from edgekit.hardware.probe import probe
from edgekit.tui.model import Model, OpenSession
from edgekit.tui.notice import Notice

if TYPE_CHECKING:
    from edgekit.tui.app import ChatApp


class Loading:
    """Loads the first model, and others in its place."""

    def __init__(self, app: ChatApp, model: Model, name: str, opener: Callable[[str], OpenSession] | None) -> None:
        self._app, self._model, self._name, self._opener = app, model, name, opener

    @property
    def name(self) -> str:
        """Return what a person calls the model."""
        return self._name

    async def first(self) -> None:
        """Load what was asked for; raises what loading raises."""
        await self._load(self._name)

    async def switch(self, name: str) -> None:
        """Give the memory of the present model back and load another one, with the same settings.

        Where that fails, says so and loads the former one again; raises what that raises.
        """
        chat = self._app.chat
        if self._opener is None or not self._model.loaded.is_set():
            await chat.complain(EdgekitError("the model is still being loaded"))
            return
        # From here on another switch is refused, and a question waits for the new model.
        self._model.loaded.clear()
        await chat.turns.stop()
        chat.keep_state()
        former = await self._model.unload()
        try:
            await self._load(name, self._opener(name))
        except Exception as problem:
            await chat.complain(problem)
            await self._load(self._name, self._opener(self._name))
        else:
            self._name = name
            await chat.say(Notice(f"{chat.status.status.model} goes on with the conversation"), follow=True)
        if former is not None and self._model.session is not None:
            _carry_over(former, self._model.session)
            chat.status.change(thinking=self._model.session.think)

    async def _load(self, name: str, open_session: OpenSession | None = None) -> None:
        status = self._app.chat.status
        status.change(model=name, activity="loading", share=None, planned=None)
        async for done, total, text in self._model.load(open_session):
            status.change(activity=f"loading {text}".rstrip(), share=done / total if total else None)
        status.change(share=None)
        if self._model.session is not None:
            self._app.chat.show_loaded(self._model.session)
            status.change(planned=await asyncio.to_thread(_planned, self._model.session.engine.plan))


def _carry_over(former: Session, present: Session) -> None:
    present.system, present.tools = former.system, former.tools
    present.sampling, present.image_tokens = former.sampling, former.image_tokens
    present.think = former.think and present.engine.takes_thinking


def _planned(plan: Plan | OnnxPlan) -> int | None:
    if isinstance(plan, OnnxPlan):
        lines = memory(check_folder(plan.model), plan).lines
        return sum(line.bytes for line in lines if line.where == "host")
    return expected_memory(plan, probe())
