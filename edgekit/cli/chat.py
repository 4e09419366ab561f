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
    from edgekit.tui.model import OnProgress

_DEMO = "demo"


def command(
    model: Annotated[str, typer.Argument(help="A .gguf file, a name such as gemma-4-E2B-it:Q4_0, or demo.")] = _DEMO,
    system: Annotated[str | None, typer.Option(help="What the model should know and how it should answer.")] = None,
    think: Annotated[bool, typer.Option("--think", help="Let the model think before it answers.")] = False,
    image: Annotated[list[Path] | None, typer.Option(help="A picture for the first question; may be repeated.")] = None,
    audio: Annotated[list[Path] | None, typer.Option(help="A sound for the first question; may be repeated.")] = None,
    projector: Annotated[Path | None, typer.Option(help="The mmproj file, if it is not beside the model.")] = None,
    context: Annotated[int | None, typer.Option(min=64, help="Tokens that the conversation may take.")] = None,
    temperature: Annotated[float, typer.Option(min=0, help="0 always takes the likeliest word.")] = 1.0,
) -> None:
    """Talk with a model: text, pictures and sound, in this terminal."""
    if not (sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()):
        raise EdgekitError(
            "`edgekit chat` needs a terminal on stdin, stdout and stderr: "
            "use `edgekit run MODEL PROMPT` in pipes and scripts"
        )
    from edgekit.tui.app import ChatApp
    from edgekit.tui.attachment import read_attachment

    def open_session(report: OnProgress) -> Session:
        from edgekit.chat.models import find_plan
        from edgekit.chat.session import Session
        from edgekit.engine.engine import Engine
        from edgekit.engine.sampling import Sampling

        plan = find_plan(model, projector=projector, context=context, progress=report)
        engine = Engine.open(plan, lambda share: report(share, 1))
        return Session(engine, system=system, think=think, sampling=Sampling(temperature))

    toy = model.partition(":")[0] == _DEMO
    app = ChatApp(
        open_session,
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
