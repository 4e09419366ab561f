"""JSON schemas as grammars: an answer that the grammar allows is valid by the schema.

What a schema demands is in the grammar, or the schema is refused by name: nothing is quietly left out. Some valid
answers are left out (keys that `properties` does not name, numbers beyond 15 digits): a model does not miss them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from edgekit.chat import gbnf
from edgekit.chat.json_kinds import (
    DEMANDS,
    KINDS,
    Schema,
    kinds_of,
    kinds_of_value,
    refusal,
    write_kind,
    write_literals,
)
from edgekit.errors import FileError

_MOST_BYTES = 1 << 20
_MOST_RULES = 5000
_UNIONS = ("anyOf", "oneOf", "allOf")
_DEMANDS = {"type", "enum", "const", "$ref", *_UNIONS, *(key for keys in DEMANDS.values() for key in keys)}
_REFUSED = (
    *("pattern", "multipleOf", "uniqueItems", "contains", "minContains", "maxContains", "patternProperties"),
    *("propertyNames", "minProperties", "maxProperties", "additionalItems", "unevaluatedItems"),
    *("unevaluatedProperties", "dependentRequired", "dependentSchemas", "dependencies"),
    *("not", "if", "then", "else", "$dynamicRef", "$recursiveRef"),
)


def read_schema(file_or_json: str) -> dict[str, Any]:
    """Return the schema in a file, or in the text itself where it begins with a brace; FileError where it is none."""
    if not file_or_json.lstrip().startswith("{"):
        path = Path(file_or_json)
        if not path.is_file():
            raise FileError(f"no such JSON schema: {file_or_json} is neither a file nor JSON that begins with {{")
        if path.stat().st_size > _MOST_BYTES:
            raise FileError(f"{path} is no JSON schema: it has more than {_MOST_BYTES} bytes")
        file_or_json = path.read_bytes().decode("utf-8", "replace")
    try:
        schema = json.loads(file_or_json)
    except (ValueError, RecursionError) as problem:
        raise FileError(f"the JSON schema is no JSON: {problem}") from None
    if not isinstance(schema, dict):
        raise FileError("the JSON schema is no JSON object")
    return schema


def grammar(schema: dict[str, Any]) -> str:
    """Return a grammar in GBNF whose answers are valid by a schema; EdgekitError names what it cannot hold."""
    try:
        return _Writer(schema).write()
    except RecursionError:
        raise refusal("#", "it is nested too deeply") from None
    except (AttributeError, LookupError, TypeError, ValueError) as problem:
        raise refusal("#", f"it is no JSON schema ({problem})") from None


class _Writer:
    def __init__(self, schema: dict[str, Any]) -> None:
        self._schema = schema
        self._rules = dict(gbnf.RULES)
        # Rules of references by their spelling.
        self._named: dict[str, str] = {}
        # Rules that begin with other rules, and those: in a circle they would never end.
        self._begin: dict[str, tuple[str, ...]] = {}

    def write(self) -> str:
        root = self.rule(self._schema, "#")
        done: set[str] = set()
        for name in self._begin:
            self._check_circle(name, (), done)
        self._rules["root"] = root
        return "".join(f"{name} ::= {body}\n" for name, body in self._rules.items())

    def add(self, body: str) -> str:
        if len(self._rules) > _MOST_RULES:
            raise refusal("#", "it is too large")
        name = f"r{len(self._rules)}"
        self._rules[name] = body
        return name

    def rule(self, schema: Schema, at: str) -> str:
        if schema is True:
            return "value"
        if not isinstance(schema, dict):
            raise refusal(at, "nothing is allowed here" if schema is False else "this is no schema")
        if refused := [key for key in _REFUSED if schema.get(key) not in (None, False)]:
            raise refusal(at, f"{refused[0]!r} has no place in a grammar")
        if key := next((key for key in ("$ref", *_UNIONS) if key in schema), None):
            beside = sorted(schema.keys() & _DEMANDS - {key} - ({"type"} if key != "$ref" else set()))
            if beside:
                raise refusal(at, f"{beside[0]!r} beside {key!r} has no place in a grammar")
            return self._reference(schema["$ref"], at) if key == "$ref" else self._parts(schema, key, at)
        if "enum" in schema or "const" in schema:
            return self._literals(schema, at)
        kinds = kinds_of(schema, at)
        return self._union(write_kind(self, kind, schema, at) for kind in kinds) if kinds else "value"

    def _check_circle(self, name: str, path: tuple[str, ...], done: set[str]) -> None:
        if name in path:
            raise refusal("#", "a $ref leads back to itself")
        if name not in done:
            for other in self._begin.get(name, ()):
                self._check_circle(other, (*path, name), done)
            done.add(name)

    def _union(self, names: Iterable[str]) -> str:
        names = tuple(dict.fromkeys(names))
        if len(names) == 1:
            return names[0]
        name = self.add(" | ".join(names))
        self._begin[name] = names
        return name

    def _parts(self, schema: Schema, key: str, at: str) -> str:
        parts = schema[key]
        if not isinstance(parts, list) or not parts:
            raise refusal(at, f"{key!r} lists nothing")
        if key == "allOf" and len(parts) > 1:
            raise refusal(at, "'allOf' of several schemas has no place in a grammar")
        if "type" in schema:
            parts = [_with_type(part, schema["type"], key, at) for part in parts]
        if key == "oneOf" and not self._told_apart(parts):
            raise refusal(at, "'oneOf' of schemas that overlap has no place in a grammar: use 'anyOf'")
        return self._union(self.rule(part, f"{at}/{key}/{index}") for index, part in enumerate(parts))

    def _told_apart(self, parts: list[Schema]) -> bool:
        """Return whether no value is valid by two schemas: by their constants, kinds, or a key with a constant."""
        parts = [self._target(part["$ref"], "#") if "$ref" in part else part for part in parts]
        if _differ(parts):
            return True
        kinds = [set(kinds_of(part, "#") or KINDS) for part in parts]
        kinds = [{"number" if kind == "integer" else kind for kind in each} for each in kinds]
        if sum(map(len, kinds)) == len(set().union(*kinds)):
            return True
        if any(each != {"object"} for each in kinds):
            return False
        shared = set.intersection(*(set(part.get("required", ())) for part in parts))
        return any(_differ([part.get("properties", {}).get(key, {}) for part in parts]) for key in shared)

    def _reference(self, reference: str, at: str) -> str:
        if not reference.startswith("#"):
            raise refusal(at, f"$ref {reference!r} is not in the schema itself")
        if reference not in self._named:
            name = self._named[reference] = self.add("")
            target = self.rule(self._target(reference, at), reference)
            self._rules[name], self._begin[name] = target, (target,)
        return self._named[reference]

    def _target(self, reference: str, at: str) -> Schema:
        found: Schema = self._schema
        for part in unquote(reference[1:]).split("/")[1:]:
            key: Any = part.replace("~1", "/").replace("~0", "~")
            key = int(key) if isinstance(found, list) else key
            if not isinstance(found, (dict, list)) or (isinstance(found, dict) and key not in found):
                raise refusal(at, f"$ref {reference!r} leads nowhere")
            found = found[key]
        return found

    def _literals(self, schema: Schema, at: str) -> str:
        beside = sorted(schema.keys() & _DEMANDS - {"type", "enum", "const"})
        if beside or ("enum" in schema and "const" in schema):
            raise refusal(at, f"{[*beside, 'enum'][0]!r} beside 'const' or 'enum' has no place in a grammar")
        values = schema["enum"] if "enum" in schema else [schema["const"]]
        kinds = set(kinds_of(schema, at) or KINDS)
        fitting = [value for value in values if kinds_of_value(value) & kinds]
        if not fitting:
            raise refusal(at, "there is no value to choose from")
        return write_literals(self, fitting, at)


def _with_type(part: Schema, kind: Any, key: str, at: str) -> Schema:  # noqa: ANN401 - the shape of JSON
    if not isinstance(part, dict) or part.keys() & {"$ref", *_UNIONS} or part.get("type", kind) != kind:
        raise refusal(at, f"'type' beside {key!r} has no place in a grammar")
    return {"type": kind, **part}


def _differ(schemas: list[Schema]) -> bool:
    """Return whether each schema lists constants of its own."""
    constants = [schema.get("enum", [schema["const"]] if "const" in schema else []) for schema in schemas]
    written = [json.dumps(value, sort_keys=True) for values in constants for value in values]
    return all(constants) and len(written) == len(set(written))
