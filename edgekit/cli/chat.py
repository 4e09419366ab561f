"""`edgekit chat`: the conversation in the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit import paths
from edgekit.cli import output
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
from edgekit.errors import EdgekitError

if TYPE_CHECKING:
    from edgekit.chat.permission import Permission
    from edgekit.chat.saved import Saved
    from edgekit.chat.session import Session
    from edgekit.chat.tools import Tool
    from edgekit.engine.loaded_model import LoadedModel
    from edgekit.tui.model import OnProgress, OpenSession

_DEMO = "demo"


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
    saved = _saved(last, conversation)
    asked = model or (saved.state.settings.model if saved else "") or _DEMO
    if not plain and not (sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()):
        raise EdgekitError(
            "`edgekit chat` needs a terminal on stdin, stdout and stderr: "
            "use `edgekit run MODEL PROMPT` in pipes and scripts, or `edgekit chat --plain`"
        )

    offer_download(asked)

    def opener(name: str) -> OpenSession:
        def open_session(report: OnProgress) -> Session:
            from edgekit.chat.runnable import find_runnable
            from edgekit.engine.open_model import open_model

            # What was chosen for the first model says nothing of another one.
            chosen = (projector, drafter, quant, provider, adapter) if name == asked else (None,) * 5
            plan = find_runnable(
                name,
                projector=chosen[0],
                drafter=chosen[1],
                context=context,
                precision=chosen[2],
                provider=chosen[3],
                adapter=chosen[4],
                force=force,
                progress=report,
            )
            engine = open_model(plan, lambda share: report(share, 1))
            return _session(engine, tools, saved, system, think, temperature)

        return open_session

    media = [*(image or ()), *(audio or ())]
    with opened_tools(tool or (), mcp or ()) as tools:
        permission = permission_for(allow_tools, tools, asks=True if not plain else None)
        if plain:
            if saved:
                output.tell(_goes_on(saved, asked))
            _talk_plainly(asked, opener(asked), media, permission, tool_timeout, saved.id if saved else None)
        else:
            _talk(asked, opener, media, permission, tool_timeout, saved.id if saved else None)


def _saved(last: bool, id: int | None) -> Saved | None:
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


def _goes_on(saved: Saved, model: str) -> str:
    """Return the line that says which conversation goes on, and with which model."""
    from edgekit.chat.saved import lasting_name, title_of

    former, now = saved.state.settings.model, lasting_name(model)
    title = saved.title or title_of(saved.messages, saved.state.unsent)
    instead = f", not {former} as before" if former and former != now else ""
    return output.plain(f"going on with conversation {saved.id} ({title}), model {now}{instead}")


def _session(
    engine: LoadedModel,
    tools: Sequence[Tool],
    saved: Saved | None,
    system: str | None,
    think: bool,
    temperature: float | None,
) -> Session:
    """Return a session with the saved conversation's settings; those of the command line come before them."""
    from edgekit.chat.saved import apply
    from edgekit.chat.session import Session

    session = Session(engine, tools=tools)
    if saved is not None:
        apply(saved.state.settings, session)
    if system is not None:
        session.system = system
    if temperature is not None:
        session.sampling = replace(session.sampling, temperature=temperature)
    session.think = session.think or think
    return session


def _talk_plainly(
    model: str,
    open_session: OpenSession,
    media: list[Path],
    permission: Permission,
    limit: float,
    conversation: int | None,
) -> None:
    from edgekit.cli.plain_chat import PlainChat
    from edgekit.cli.plain_saving import PlainSaving
    from edgekit.tui.attachment import read_attachment

    attachments = [read_attachment(path) for path in media]
    session = open_session(lambda done, total, text="": None)
    with closing(session.engine):
        saving = PlainSaving(session, model)
        history = saving.open(conversation) if conversation is not None else ()
        well = PlainChat(session, saving, attachments, permission, limit, history).run()
    if not well:
        raise typer.Exit(1)


def _talk(
    model: str,
    opener: Callable[[str], OpenSession],
    media: list[Path],
    permission: Permission,
    limit: float,
    conversation: int | None,
) -> None:
    from edgekit.tui.app import ChatApp, saved_settings
    from edgekit.tui.attachment import read_attachment
    from edgekit.tui.console import console_glyphs, on_linux_console
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
        filters=[console_glyphs()] if on_linux_console() else [],
        advice=_advice,
        permission=permission,
        tool_timeout=limit,
        conversation=conversation,
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
