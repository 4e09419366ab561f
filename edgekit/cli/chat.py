"""`edgekit chat`: the conversation in the terminal."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit import paths
from edgekit.chat.run_options import RunOptions
from edgekit.cli import chat_start, output
from edgekit.cli.completion import names_here
from edgekit.cli.offer import offer_download
from edgekit.cli.options import DrafterOption, ForceOption, OnnxAdapterOption, ProviderOption, QuantOption
from edgekit.cli.tool_options import (
    AllowToolsOption,
    McpOption,
    ToolOption,
    ToolTimeoutOption,
    opened_tools,
    permission_for,
)
from edgekit.errors import EdgekitError, explain

if TYPE_CHECKING:
    from edgekit.chat.permission import Permission
    from edgekit.chat.tools import Tool
    from edgekit.cli.chat_start import Start


def command(
    model: Annotated[
        str | None,
        typer.Argument(
            help="A .gguf file, an ONNX folder, a name such as gemma-4-E2B-it:Q4_0; demo if left out.",
            autocompletion=names_here,
        ),
    ] = None,
    system: Annotated[str | None, typer.Option(help="What the model should know and how it should answer.")] = None,
    think: Annotated[bool, typer.Option("--think", help="Let the model think before it answers.")] = False,
    image: Annotated[list[Path] | None, typer.Option(help="A picture for the first question; may be repeated.")] = None,
    audio: Annotated[list[Path] | None, typer.Option(help="A sound for the first question; may be repeated.")] = None,
    projector: Annotated[Path | None, typer.Option(help="The mmproj file, if it is not beside the model.")] = None,
    drafter: DrafterOption = None,
    quant: QuantOption = None,
    provider: ProviderOption = None,
    adapter: OnnxAdapterOption = None,
    context: Annotated[int | None, typer.Option(min=64, help="Tokens that the conversation may take.")] = None,
    temperature: Annotated[
        float | None, typer.Option(min=0, help="0 always takes the likeliest word; 1 if not given.")
    ] = None,
    last: Annotated[bool, typer.Option("--continue", help="Go on with the last conversation.")] = False,
    conversation: Annotated[
        int | None, typer.Option(help="Go on with this one: `edgekit conversations` lists them.", metavar="ID")
    ] = None,
    tool: ToolOption = None,
    mcp: McpOption = None,
    allow_tools: AllowToolsOption = None,
    tool_timeout: ToolTimeoutOption = 60,
    force: ForceOption = False,
    plain: Annotated[bool, typer.Option("--plain", help="Line by line, for pipes and screen readers.")] = False,
) -> None:
    """Talk with a model: text, pictures and sound, in this terminal."""
    begun = chat_start.begin(
        model,
        chat_start.saved_conversation(last, conversation),
        RunOptions(projector, drafter, context, quant, provider, adapter, force),
        chat_start.Manner(system, think, temperature),
    )
    if not plain and not (sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()):
        raise EdgekitError(
            "`edgekit chat` needs a terminal on stdin, stdout and stderr: "
            "use `edgekit run MODEL PROMPT` in pipes and scripts, or `edgekit chat --plain`"
        )

    offer_download(begun.model)
    media = [*(image or ()), *(audio or ())]
    with opened_tools(tool or (), mcp or ()) as tools:
        permission = permission_for(allow_tools, tools, asks=True if not plain else None)
        talk = _talk_plainly if plain else _talk
        talk(begun, tools, media, permission, tool_timeout)


def _talk_plainly(begun: Start, tools: Sequence[Tool], media: list[Path], permission: Permission, limit: float) -> None:
    from edgekit.cli.plain_chat import PlainChat
    from edgekit.cli.plain_saving import PlainSaving
    from edgekit.tui.attachment import read_attachment

    if begun.saved:
        output.tell(begun.going_on)
    attachments = [read_attachment(path) for path in media]
    session = begun.opener(tools)(begun.model)(lambda done, total, text="": None)
    with closing(session.engine):
        saving = PlainSaving(session, begun.model)
        history = saving.open(begun.saved.id) if begun.saved else ()
        well = PlainChat(session, saving, attachments, permission, limit, history).run()
    if not well:
        raise typer.Exit(1)


def _talk(begun: Start, tools: Sequence[Tool], media: list[Path], permission: Permission, limit: float) -> None:
    from edgekit.tui.app import ChatApp, saved_settings
    from edgekit.tui.attachment import read_attachment
    from edgekit.tui.console import console_glyphs, on_linux_console
    from edgekit.tui.graphics import ask_terminal

    settings, graphics = saved_settings(), ask_terminal()
    model, opener = begun.model, begun.opener(tools)
    toy = model.partition(":")[0] == chat_start.DEMO
    app = ChatApp(
        opener(model),
        name=model,
        toy=toy,
        folder=paths.demo_samples() if toy else Path.cwd(),
        attachments=[read_attachment(path, graphics) for path in media],
        opener=opener,
        settings=settings,
        graphics=graphics,
        filters=[console_glyphs()] if on_linux_console() else [],
        advice=_advice,
        permission=permission,
        tool_timeout=limit,
        conversation=begun.saved.id if begun.saved else None,
    )
    problem = app.run()
    if app.model.running:
        _end_at_once(problem)
    if problem is not None:
        raise problem


def _end_at_once(problem: Exception | None) -> None:
    """End the process: native code that does not come to an end must not keep the person waiting."""
    if problem is not None and os.environ.get("EDGEKIT_DEBUG"):
        traceback.print_exception(problem)
    elif problem is not None:
        output.error(explain(problem))
    os._exit(problem is not None)


def _advice() -> Sequence[str]:
    from edgekit.chat.advice import advice

    return advice()
