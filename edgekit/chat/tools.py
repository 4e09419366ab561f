"""Tools: typed Python functions that a model may ask for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Tool:
    """A function and its declaration, an OpenAI function object with a JSON schema."""

    name: str
    declaration: dict[str, Any]
    function: Callable[..., Any]

    def __call__(self, arguments: dict[str, Any]) -> object:
        """Call the function; what it raises reaches the caller."""
        return self.function(**arguments)


def load_tools(path: Path) -> tuple[Tool, ...]:
    """Return the public functions of a Python file, in order; FileError where it cannot be used."""
    raise NotImplementedError
