"""The schemas that MCP servers give for their tools, in the form that chat templates take."""

from __future__ import annotations

from typing import Any


def plain_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a tool's schema without references, and without unions with null, which chat templates do not know."""
    plain: dict[str, Any] = _plain(schema, schema, ())
    return plain


def _plain(schema: Any, root: dict[str, Any], seen: tuple[str, ...]) -> Any:  # noqa: ANN401 - the shape of JSON
    if isinstance(schema, list):
        return [_plain(one, root, seen) for one in schema]
    if not isinstance(schema, dict):
        return schema
    reference = schema.get("$ref")
    if isinstance(reference, str):
        # What contains itself is an object of any kind where it would begin anew.
        target = {"type": "object"} if reference in seen else _target(reference, root)
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
        seen = (*seen, reference)
    plain = {key: _plain(value, root, seen) for key, value in schema.items() if key not in ("$defs", "$schema")}
    return _without_null(plain)


def _target(reference: str, root: dict[str, Any]) -> dict[str, Any]:
    found: Any = root
    for part in reference.removeprefix("#").split("/")[1:]:
        found = found.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, dict) else {}
    return found if isinstance(found, dict) else {}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    union = schema.get("anyOf")
    if not isinstance(union, list):
        return schema
    others = [one for one in union if not (isinstance(one, dict) and one.get("type") == "null")]
    if len(others) != 1 or len(union) == 1 or not isinstance(others[0], dict):
        return schema
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**others[0], **rest, "nullable": True}
