"""`edgekit chat`: the conversation in the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit import paths
from edgekit.cli.options import ForceOption
from edgekit.cli.tool_options import (
    AllowToolsOption,
    McpOption,
    ToolOption,
    ToolTimeoutOption,
    opened_tools,
    permission_for,
)
from edgekit.errors import EdgekitError

if TYPE_CHECKING:
    from edgekit.chat.permission import Permission
    from edgekit.chat.session import Session
    from edgekit.tui.model import OnProgress, OpenSession

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
    tool: ToolOption = None,
    mcp: McpOption = None,
    allow_tools: AllowToolsOption = None,
    tool_timeout: ToolTimeoutOption = 60,
    force: ForceOption = False,
    plain: Annotated[bool, typer.Option("--plain", help="Line by line, for pipes and screen readers.")] = False,
) -> None:
    """Talk with a model: text, pictures and sound, in this terminal."""
    if not plain and not (sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()):
        raise EdgekitError(
            "`edgekit chat` needs a terminal on stdin, stdout and stderr: "
            "use `edgekit run MODEL PROMPT` in pipes and scripts, or `edgekit chat --plain`"
        )

    def opener(name: str) -> OpenSession:
        def open_session(report: OnProgress) -> Session:
            from edgekit.chat.models import find_plan
            from edgekit.chat.session import Session
            from edgekit.engine.engine import Engine
            from edgekit.engine.sampling import Sampling

            beside = projector if name == model else None
            plan = find_plan(name, projector=beside, context=context, force=force, progress=report)
            engine = Engine.open(plan, lambda share: report(share, 1))
            return Session(engine, system=system, think=think, tools=tools, sampling=Sampling(temperature))

        return open_session

    media = [*(image or ()), *(audio or ())]
    with opened_tools(tool or (), mcp or ()) as tools:
        permission = permission_for(allow_tools, tools, asks=True if not plain else None)
        if plain:
            _talk_plainly(opener(model), media, permission, tool_timeout)
        else:
            _talk(model, opener, media, permission, tool_timeout)


def _talk_plainly(open_session: OpenSession, media: list[Path], permission: Permission, limit: float) -> None:
    from edgekit.cli.plain_chat import PlainChat
    from edgekit.tui.attachment import read_attachment

    attachments = [read_attachment(path) for path in media]
    session = open_session(lambda done, total, text="": None)
    with session.engine:
        PlainChat(session, attachments, permission, limit).run()


def _talk(
    model: str, opener: Callable[[str], OpenSession], media: list[Path], permission: Permission, limit: float
) -> None:
    from edgekit.tui.app import ChatApp, saved_settings
    from edgekit.tui.attachment import read_attachment
    from edgekit.tui.graphics import ask_terminal

    settings, graphics = saved_settings(), ask_terminal()
    toy = model.partition(":")[0] == _DEMO
    app = ChatApp(
        opener(model),
        name=model,
        toy=toy,
        folder=paths.demo_samples() if toy else Path.cwd(),
        attachments=[read_attachment(path, graphics) for path in media],
        opener=opener,
        settings=settings,
        graphics=graphics,
        advice=_advice,
        permission=permission,
        tool_timeout=limit,
    )
    problem = app.run()
    if app.model.running:
        # Native code that does not come to an end must not keep the person waiting.
        os._exit(0)
    if problem is not None:
        raise problem


def _advice() -> Sequence[str]:
    from edgekit.chat.advice import advice

    return advice()
