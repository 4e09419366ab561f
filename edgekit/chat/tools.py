"""Tools: typed Python functions that a model may ask for."""

from __future__ import annotations

import inspect
import json
import runpy
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.chat.message import Message, Text, ToolCall
from edgekit.chat.schema import SchemaError, declare
from edgekit.errors import FileError


@dataclass(frozen=True)
class Tool:
    """A function and its declaration, an OpenAI function object with a JSON schema."""

    name: str
    declaration: dict[str, Any]
    function: Callable[..., Any]

    def __call__(self, arguments: dict[str, Any]) -> object:
        """Call the function; what it raises reaches the caller."""
        return self.function(**arguments)


def load_all(paths: Sequence[Path]) -> tuple[Tool, ...]:
    """Return the tools of several files; FileError where two have one name."""
    tools = tuple(tool for path in paths for tool in load_tools(path))
    names = [tool.name for tool in tools]
    if twice := [name for name in names if names.count(name) > 1]:
        raise FileError(f"two tools are named {twice[0]}: the model could not tell them apart")
    return tools


def load_tools(path: Path) -> tuple[Tool, ...]:
    """Return the public functions of a Python file, in order; FileError where it cannot be used.

    The file is run: it is the person's own program.
    """
    if not path.is_file():
        raise FileError(f"no such file of tools: {path}")
    try:
        with _contained():
            names = runpy.run_path(str(path), run_name="edgekit_tools")
    except _ToolError as problem:
        raise FileError(f"{path} does not run: {problem}") from problem
    functions = [
        value
        for name, value in names.items()
        if inspect.isfunction(value) and value.__module__ == "edgekit_tools" and not name.startswith("_")
    ]
    if not functions:
        raise FileError(f"there is no function in {path} that could be a tool")
    try:
        return tuple(Tool(function.__name__, declare(function), function) for function in functions)
    except SchemaError as problem:
        raise FileError(f"{path}: {problem}") from None


def tool_result(name: str, value: object) -> Message:
    """Return the message that gives a tool's answer back to the model; a mapping keeps its keys."""
    return Message("tool", (Text(json.dumps(value, ensure_ascii=False, default=str)),), name=name)


def call_tool(tools: tuple[Tool, ...], call: ToolCall) -> Message:
    """Run a call and return its answer; what goes wrong is answered too, so that the model can say it."""
    by_name = {tool.name: tool for tool in tools}
    if call.name not in by_name:
        return tool_result(call.name, {"error": f"there is no tool named {call.name}"})
    try:
        with _contained():
            return tool_result(call.name, by_name[call.name](call.arguments))
    except _ToolError as problem:
        return tool_result(call.name, {"error": str(problem)})


class _ToolError(Exception):
    """What a person's function raised, as text."""


@contextmanager
def _contained() -> Iterator[None]:
    # A tool's print must not mix with answers and JSON, and its sys.exit() must not end edgekit.
    try:
        with redirect_stdout(sys.stderr):
            yield
    except KeyboardInterrupt:
        raise
    except BaseException as problem:
        raise _ToolError(f"{type(problem).__name__}: {problem}") from problem
