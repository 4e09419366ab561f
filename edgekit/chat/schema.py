"""Typed Python functions as JSON schemas, in the form that transformers' get_json_schema gives."""

from __future__ import annotations

import inspect
import json
import re
import types
from collections.abc import Callable, Hashable
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

_SIMPLE: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    list: {"type": "array"},
    tuple: {"type": "array"},
    dict: {"type": "object"},
    type(None): {"type": "null"},
    Any: {},
}
_SECTION = r"(?:Args|Returns|Raises):"
_CHOICES = re.compile(r"\(choices:\s*(.*?)\)\s*$", re.IGNORECASE)


class SchemaError(ValueError):
    """A function cannot be declared as a tool; the message says what is missing."""


def declare(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the declaration of a function with type hints and a Google-style docstring."""
    name = function.__name__
    about, described, returns = _read_docstring(inspect.getdoc(function) or "")
    if not about:
        raise SchemaError(f"{name} has no docstring: say what it does and what its arguments mean")
    try:
        hints = get_type_hints(function)
    except (NameError, TypeError, SyntaxError) as problem:
        raise SchemaError(f"{name}: a type hint cannot be read ({problem})") from None
    properties = {
        parameter: _property(name, parameter, hints, described) for parameter in inspect.signature(function).parameters
    }
    declaration: dict[str, Any] = {"name": name, "description": about, "parameters": _object(function, properties)}
    if "return" in hints:
        declaration["return"] = _hint_schema(hints["return"]) | ({"description": returns} if returns else {})
    return {"type": "function", "function": declaration}


def _object(function: Callable[..., Any], properties: dict[str, Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    required = [parameter.name for parameter in parameters if parameter.default is inspect.Parameter.empty]
    return {"type": "object", "properties": properties} | ({"required": required} if required else {})


def _property(function: str, name: str, hints: dict[str, Any], described: dict[str, str]) -> dict[str, Any]:
    if name not in hints:
        raise SchemaError(f"{function}: the argument {name} has no type")
    if name not in described:
        raise SchemaError(f"{function}: the docstring's Args do not describe {name}")
    schema, description = _hint_schema(hints[name]), described[name]
    if choices := _CHOICES.search(description):
        schema["enum"] = _read_choices(function, name, choices[1])
        description = description[: choices.start()].strip()
    return {**schema, "description": description}


def _read_choices(function: str, name: str, text: str) -> Any:  # noqa: ANN401 - the shape of JSON
    try:
        return json.loads(text)
    except ValueError:
        raise SchemaError(f'{function}: the choices of {name} are no JSON list: write (choices: ["a", "b"])') from None


def _hint_schema(hint: Any) -> dict[str, Any]:  # noqa: ANN401 - any type
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is None and isinstance(hint, Hashable) and hint in _SIMPLE:
        return dict(_SIMPLE[hint])
    if origin is Literal and all(type(value) in _SIMPLE for value in arguments):
        kinds = list(dict.fromkeys(_SIMPLE[type(value)]["type"] for value in arguments))
        return {"type": kinds[0] if len(kinds) == 1 else kinds, "enum": list(arguments)}
    if origin in (Union, types.UnionType):
        return _union(arguments)
    if origin is list:
        return {"type": "array", "items": _hint_schema(arguments[0])}
    if origin is tuple and ... not in arguments:
        return {"type": "array", "prefixItems": [_hint_schema(argument) for argument in arguments]}
    if origin is dict:
        return {"type": "object", "additionalProperties": _hint_schema(arguments[1])}
    raise SchemaError(f"{hint} is no type that a model can write")


def _union(arguments: tuple[Any, ...]) -> dict[str, Any]:
    kinds = [_hint_schema(argument) for argument in arguments if argument is not type(None)]
    names = sorted({kind["type"] for kind in kinds if kind.keys() == {"type"}})
    if len(kinds) == 1:
        schema = kinds[0]
    elif all(kind.keys() == {"type"} for kind in kinds):
        schema = {"type": names[0] if len(names) == 1 else names}
    else:
        schema = {"anyOf": kinds}
    return schema | ({"nullable": True} if type(None) in arguments else {})


def _read_docstring(text: str) -> tuple[str, dict[str, str], str]:
    sections = re.split(rf"\n\s*({_SECTION})[ \t]*\n", "\n" + text.strip())
    named = dict(zip(sections[1::2], sections[2::2], strict=True))
    return sections[0].strip(), _read_arguments(named.get("Args:", "")), named.get("Returns:", "").strip()


def _read_arguments(block: str) -> dict[str, str]:
    lines = [line for line in block.splitlines() if line.strip()]
    indent = min((len(line) - len(line.lstrip()) for line in lines), default=0)
    described: dict[str, str] = {}
    for line in lines:
        name, colon, about = line[indent:].partition(":")
        if colon and re.fullmatch(r"\w+", name):
            described[name] = about.strip()
        elif described:
            described[list(described)[-1]] += " " + line.strip()
    return described
