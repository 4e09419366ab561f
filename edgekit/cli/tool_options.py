"""Options of commands that offer tools, and what they open."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit.cli import output

if TYPE_CHECKING:
    from edgekit.chat.events import ToolAnswered, ToolAsked
    from edgekit.chat.message import ToolCall
    from edgekit.chat.permission import Permission, Verdict
    from edgekit.chat.tools import Tool

ToolOption = Annotated[list[Path] | None, typer.Option(help="A Python file whose functions the model may call.")]
McpOption = Annotated[
    list[str] | None, typer.Option(metavar="COMMAND", help='An MCP server whose tools the model may call: "npx -y X".')
]
AllowToolsOption = Annotated[
    str | None, typer.Option(metavar="NAMES", help="Tools that may be called without asking: all, or names by commas.")
]
ToolTimeoutOption = Annotated[float, typer.Option(min=0.1, help="Seconds that a tool may take.")]
_ASK = "call it?  y once · a always · n never"
_KEYS: dict[str, Verdict] = {"y": "once", "a": "always", "n": "never"}


@contextmanager
def opened_tools(files: Sequence[Path], servers: Sequence[str]) -> Iterator[tuple[Tool, ...]]:
    """Load files and start servers, whose processes end with the body; raises what cannot be used in one line."""
    from edgekit.chat.tools import distinct, load_all

    tools = list(load_all(files))
    with ExitStack() as stack:
        if servers:
            from edgekit.chat.mcp_server import start_servers

            with output.progress("Starting MCP servers"):
                for server in start_servers(servers):
                    tools += stack.enter_context(server).tools
        yield distinct(tools)


def permission_for(allowed: str | None, tools: Sequence[Tool], *, asks: bool | None = None) -> Permission:
    """Return what `--allow-tools` allows; wrong usage where it names no tool.

    `asks` says whether somebody is there to ask about the rest; None looks for a terminal.
    """
    from edgekit.chat.permission import Permission
    from edgekit.cli.one_key import has_terminal

    names = [name.strip() for name in (allowed or "").split(",") if name.strip()]
    if names == ["all"]:
        return Permission(everything=True)
    known = [tool.name for tool in tools]
    if unknown := [name for name in names if name not in known]:
        there = ", ".join(known) if known else "none: give --tool or --mcp"
        raise typer.BadParameter(f"there is no tool {unknown[0]!r}: there are {there}", param_hint="--allow-tools")
    return Permission(names, asks=has_terminal() if asks is None else asks)


def ask(event: ToolAsked, show: Callable[[str], None], stop: threading.Event) -> None:
    """Ask for the key that says whether a tool may be called, and pass it on; `show` prints the question."""
    from edgekit.cli.one_key import one_key

    key = one_key("".join(_KEYS), lambda: show(_ASK), stop)
    if not stop.is_set():
        event.asking.reply(_KEYS.get(key, "never"))


def written(call: ToolCall) -> str:
    """Return a call as Python writes one."""
    arguments = ", ".join(f"{name}={value!r}" for name, value in call.arguments.items())
    return f"{call.name}({arguments})"


def show_failure(event: ToolAnswered) -> None:
    """Say on stderr where a tool gave no answer: its error is for the model, and for the person."""
    import json

    answer = json.loads(event.message.text)
    if isinstance(answer, dict) and answer.keys() == {"error"}:
        output.hint(f"{event.call.name}: {answer['error']}")
