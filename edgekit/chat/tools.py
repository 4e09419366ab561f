"""Tools: typed Python functions that a model may ask for."""

from __future__ import annotations

import inspect
import runpy
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.chat.calling import in_thread
from edgekit.chat.schema import SchemaError, declare
from edgekit.errors import FileError


@dataclass(frozen=True)
class Tool:
    """A function and its declaration, an OpenAI function object with a JSON schema."""

    name: str
    declaration: dict[str, Any]
    function: Callable[..., Any]

    def start(self, arguments: dict[str, Any]) -> Future[object]:
        """Begin a call; what the function raises is the future's exception."""
        return in_thread(self.function, arguments)


def load_all(paths: Sequence[Path]) -> tuple[Tool, ...]:
    """Return the tools of several files; FileError where two have one name."""
    return distinct(tool for path in paths for tool in load_tools(path))


def distinct(tools: Iterator[Tool] | Sequence[Tool]) -> tuple[Tool, ...]:
    """Return tools as they are; FileError where two have one name."""
    tools = tuple(tools)
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
    except _FileProblemError as problem:
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


class _FileProblemError(Exception):
    """What a person's file raised, as text."""


@contextmanager
def _contained() -> Iterator[None]:
    # What a file prints must not mix with answers and JSON, and its sys.exit() must not end edgekit.
    try:
        with redirect_stdout(sys.stderr):
            yield
    except KeyboardInterrupt:
        raise
    except BaseException as problem:
        raise _FileProblemError(f"{type(problem).__name__}: {problem}") from problem
