"""Tools at work: called in threads of their own, with a limit of time, and answered whatever happens."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Any, TextIO, cast

from edgekit.chat.message import Message, Text, ToolCall

if TYPE_CHECKING:
    from edgekit.chat.tools import Tool

# Seconds that a tool may take.
LIMIT = 60.0
_THREAD = "edgekit-tool"
_POLL = 0.05


class ToolError(Exception):
    """A tool says by itself that it could not; the message is for the model."""


def tool_result(name: str, value: object) -> Message:
    """Return the message that gives a tool's answer back to the model; a mapping keeps its keys."""
    return Message("tool", (Text(json.dumps(value, ensure_ascii=False, default=str)),), name=name)


def call_tool(
    tools: Sequence[Tool], call: ToolCall, *, limit: float = LIMIT, stop: threading.Event | None = None
) -> Message:
    """Run a call and return its answer; what goes wrong is answered too, so that the model can say it."""
    tool = next((tool for tool in tools if tool.name == call.name), None)
    if tool is None:
        names = ", ".join(tool.name for tool in tools)
        return tool_result(call.name, {"error": f"there is no tool named {call.name}: there are {names}"})
    try:
        return tool_result(call.name, _outcome(tool.start(call.arguments), limit, stop or threading.Event()))
    except ToolError as problem:
        return tool_result(call.name, {"error": str(problem)})
    # What the function gave may be no JSON either: a list that contains itself, keys that are no texts.
    except Exception as problem:
        return tool_result(call.name, {"error": f"{type(problem).__name__}: {problem}"})


def in_thread(function: Callable[..., object], arguments: dict[str, Any]) -> Future[object]:
    """Call a person's function in a thread of its own, which nothing has to wait for."""
    future: Future[object] = Future()
    # Running from now on: a thread cannot be cancelled.
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            value = function(**arguments)
        # Its sys.exit() must not end edgekit.
        except BaseException as problem:
            future.set_exception(problem)
        else:
            future.set_result(value)

    _print_aside()
    threading.Thread(target=run, name=_THREAD, daemon=True).start()
    return future


def _outcome(running: Future[object], limit: float, stop: threading.Event) -> object:
    deadline = time.monotonic() + limit
    while not running.done():
        wait([running], timeout=_POLL)
        if stop.is_set():
            running.cancel()
            raise ToolError("the person stopped this; the tool may still be at work")
        if time.monotonic() >= deadline and not running.done():
            running.cancel()
            raise ToolError(f"no answer within {limit:g} s: given up, the tool may still be at work")
    problem = running.exception()
    if problem is None:
        return running.result()
    if isinstance(problem, ToolError):
        raise problem
    raise ToolError(f"{type(problem).__name__}: {problem}")


class _Aside:
    """stdout for everybody but the threads of tools, whose prints must not mix with answers and JSON."""

    def __init__(self, stdout: TextIO) -> None:
        self._stdout = stdout

    def write(self, text: str) -> int:
        aside = threading.current_thread().name == _THREAD
        return (sys.stderr if aside else self._stdout).write(text)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - everything else is stdout's own
        return getattr(self._stdout, name)


def _print_aside() -> None:
    # It stays: a tool that was given up may print at any time.
    if not isinstance(sys.stdout, _Aside):
        sys.stdout = cast("TextIO", _Aside(sys.stdout))
