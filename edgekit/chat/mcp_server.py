"""Tools of MCP servers: child processes that speak the Model Context Protocol over their stdin and stdout.

The official `mcp` package does the speaking, in an event loop in a thread of its own; it comes with `edgekit[mcp]`.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import shlex
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from edgekit.chat.calling import ToolError
from edgekit.chat.last_words import LastWords
from edgekit.chat.mcp_schema import plain_schema
from edgekit.chat.tools import Tool
from edgekit.errors import EdgekitError, UnsupportedError
from edgekit.installation import command_for

if TYPE_CHECKING:
    from anyio import CancelScope
    from mcp import Client
    from mcp.types import CallToolResult
    from mcp.types import Tool as Declared

# Seconds: a first start may fetch the server by npx or uvx.
PATIENCE = 60.0
# The package gives a server 2 s to leave, then ends it, twice over.
_FAREWELL = 10.0
_MOST_PAGES = 50


@dataclass(frozen=True)
class McpTool(Tool):
    """A tool of a server; its function begins the call."""

    def start(self, arguments: dict[str, Any]) -> Future[object]:
        """Send a call to the server."""
        future: Future[object] = self.function(arguments)
        return future


class McpServer:
    """A running server; a context manager, whose process ends with it."""

    def __init__(self, line: str, patience: float = PATIENCE) -> None:
        """Start `line`, a command with its arguments as a shell reads them, and ask for its tools.

        Raises EdgekitError where it does not start, does not answer within `patience` seconds or ends, with the last
        line of its stderr; UnsupportedError where the package is not installed.
        """
        self.line = line
        self._command = _parted(line)
        _check_package()
        self._last_words = LastWords()
        self._patience = patience
        self._loop = asyncio.new_event_loop()
        self._scope: CancelScope | None = None
        self._ready: Future[tuple[McpTool, ...]] = Future()
        self._thread = threading.Thread(target=self._run, name="edgekit-mcp", daemon=True)
        self._thread.start()
        try:
            self.tools = self._ready.result()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the server; harmless when done twice."""
        if self._scope is not None:
            # The loop may have ended, and the server with it.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._scope.cancel)
        self._thread.join(_FAREWELL)

    def __enter__(self) -> McpServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as problem:
            if not self._ready.done():
                self._ready.set_exception(self._explained(_first(problem)))
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        import anyio
        from mcp import Client, StdioServerParameters, stdio_client

        command, *arguments = self._command
        parameters = StdioServerParameters(command=command, args=arguments, encoding_error_handler="replace")
        with self._last_words.listen() as errors, anyio.CancelScope() as self._scope:
            self._scope.deadline = anyio.current_time() + self._patience
            async with Client(stdio_client(parameters, errlog=errors)) as client:
                tools = await self._list(client)
                self._scope.deadline = math.inf
                self._ready.set_result(tools)
                await anyio.sleep_forever()
        if not self._ready.done():
            raise TimeoutError

    async def _list(self, client: Client) -> tuple[McpTool, ...]:
        tools: list[McpTool] = []
        cursor = None
        for _ in range(_MOST_PAGES):
            page = await client.list_tools(cursor=cursor)
            tools += [self._tool(client, declared) for declared in page.tools]
            if not (cursor := page.next_cursor):
                break
        return tuple(tools)

    def _tool(self, client: Client, declared: Declared) -> McpTool:
        function = {
            "name": declared.name,
            "description": declared.description or declared.title or declared.name,
            "parameters": plain_schema(declared.input_schema),
        }

        async def call(arguments: dict[str, Any]) -> object:
            return _value(await client.call_tool(declared.name, arguments))

        def start(arguments: dict[str, Any]) -> Future[object]:
            if not self._thread.is_alive():
                raise ToolError(f"the server of this tool has ended{self._last_words.quoted()}")
            return asyncio.run_coroutine_threadsafe(call(arguments), self._loop)

        return McpTool(declared.name, {"type": "function", "function": function}, start)

    def _explained(self, problem: BaseException) -> EdgekitError:
        if isinstance(problem, FileNotFoundError):
            why = f"there is no program {self._command[0]}"
        elif isinstance(problem, TimeoutError):
            why = f"it said nothing that MCP knows within {self._patience:.0f} s"
        elif isinstance(problem, OSError):
            why = problem.strerror or str(problem)
        else:
            why = str(problem) or type(problem).__name__
        line = " ".join(self.line.split())
        return EdgekitError(f"the MCP server `{line}` did not start: {why}{self._last_words.quoted()}")


def start_servers(lines: Sequence[str]) -> list[McpServer]:
    """Start servers one after the other; where one does not start, the others are ended again."""
    servers: list[McpServer] = []
    try:
        for line in lines:
            # Each one as soon as it runs: it must not be lost when a later one fails.
            servers.append(McpServer(line))  # noqa: PERF401
    except BaseException:
        for server in servers:
            server.close()
        raise
    return servers


def _value(result: CallToolResult) -> object:
    parts = [_text(part) for part in result.content]
    if result.is_error:
        raise ToolError("\n".join(parts) or "the tool failed and does not say why")
    return result.structured_content if result.structured_content is not None else "\n".join(parts)


def _text(part: Any) -> str:  # noqa: ANN401 - one of mcp's content blocks
    if part.type == "text":
        return str(part.text)
    return f"[{getattr(part, 'mime_type', None) or part.type}: not shown to the model]"


def _parted(line: str) -> list[str]:
    try:
        parts = shlex.split(line)
    except ValueError as problem:
        raise EdgekitError(f"--mcp {line!r} is no command: {str(problem).lower()}") from None
    if not parts:
        raise EdgekitError('--mcp takes a command with its arguments, such as --mcp "npx -y SERVER FOLDER"')
    return parts


def _check_package() -> None:
    try:
        found = hasattr(import_module("mcp"), "Client")
    except ImportError:
        found = False
    if not found:
        raise UnsupportedError(f"MCP servers need the package mcp, 2.0 or later: `{command_for('mcp')}` brings it")
    if not os.environ.get("EDGEKIT_DEBUG"):
        # It logs tracebacks of what a server says wrong.
        logging.getLogger("mcp").setLevel(logging.CRITICAL)


def _first(problem: BaseException) -> BaseException:
    """Return the innermost of an exception group: what went wrong first."""
    while inner := getattr(problem, "exceptions", None):
        problem = inner[0]
    return problem
