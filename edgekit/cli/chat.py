"""`edgekit chat`: the conversation in the terminal."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit import paths
from edgekit.errors import EdgekitError

if TYPE_CHECKING:
    from edgekit.chat.session import Session
    from edgekit.tui.model import OnProgress, OpenSession

_DEMO = "demo"


def command(
    model: Annotated[str, typer.Argument(help="A GGUF file, a catalog name, or `demo`: the bundled toy.")] = _DEMO,
    system: Annotated[str | None, typer.Option("--system", help="Tell the model how to behave.")] = None,
    think: Annotated[bool, typer.Option("--think", help="Let it think before it answers.")] = False,
    image: Annotated[list[Path] | None, typer.Option("--image", help="Attach a picture to the first question.")] = None,
    audio: Annotated[list[Path] | None, typer.Option("--audio", help="Attach a sound to the first question.")] = None,
    context: Annotated[int | None, typer.Option("--context", min=512, help="Tokens to keep in mind.")] = None,
) -> None:
    """Talk to a model in the terminal: text, pictures and sound."""
    if not (sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()):
        raise EdgekitError("`edgekit chat` needs a terminal: use `edgekit run MODEL PROMPT` in pipes and scripts")
    from edgekit.tui.app import ChatApp
    from edgekit.tui.attachment import read_attachment

    toy = model.partition(":")[0] == _DEMO
    app = ChatApp(
        _opener(model, system=system, think=think, context=context),
        name=model,
        toy=toy,
        folder=paths.demo_samples() if toy else Path.cwd(),
        attachments=[read_attachment(path) for path in (*(image or ()), *(audio or ()))],
    )
    problem = app.run()
    if app.model.running:
        # Native code that does not come to an end must not keep the person waiting.
        os._exit(0)
    if problem is not None:
        raise problem


def _opener(model: str, *, system: str | None, think: bool, context: int | None) -> OpenSession:
    def open_session(report: OnProgress) -> Session:
        from edgekit.chat.models import find_plan
        from edgekit.chat.session import Session
        from edgekit.engine.engine import Engine

        plan = find_plan(model, context=context, progress=report)
        return Session(Engine.open(plan, lambda share: report(share, 1)), system=system, think=think)

    return open_session
