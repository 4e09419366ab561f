"""The kinds of JSON values, each with what a schema may demand of it, as rules of a grammar."""

from __future__ import annotations

import math
from typing import Any, Protocol

from edgekit.chat import gbnf
from edgekit.errors import EdgekitError

Schema = Any
KINDS = ("object", "array", "string", "number", "integer", "boolean", "null")
# What a schema may demand of a kind; it tells the kind where `type` does not.
DEMANDS = {
    "object": ("properties", "required", "additionalProperties"),
    "array": ("items", "prefixItems", "minItems", "maxItems"),
    "string": ("minLength", "maxLength"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
}
# llama.cpp takes 2000 rules of one repetition.
_MOST_LETTERS, _MOST_ITEMS = 1000, 500


class Rules(Protocol):
    """Where rules are written."""

    def add(self, body: str) -> str:
        """Write a rule and return its name."""

    def rule(self, schema: Schema, at: str) -> str:
        """Write the rules for a schema and return the name of the first."""


def refusal(at: str, why: str) -> EdgekitError:
    """Return the error for what a grammar cannot hold; `at` points into the schema."""
    return EdgekitError(f"the JSON schema cannot be enforced: {at}: {why}")


def kinds_of(schema: Schema, at: str) -> tuple[str, ...]:
    """Return the kinds of values that a schema allows, none where it allows all."""
    named = schema.get("type")
    if named is None:
        return tuple(kind for kind, keys in DEMANDS.items() if any(key in schema for key in keys))
    kinds = tuple(named) if isinstance(named, list) else (named,)
    if not kinds or any(kind not in KINDS for kind in kinds):
        raise refusal(at, f"there is no type {named!r}")
    return kinds


def kinds_of_value(value: Any) -> set[str]:  # noqa: ANN401 - the shape of JSON
    """Return the kinds that a value is of: a whole number is of two."""
    if isinstance(value, bool):
        return {"boolean"}
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return {"integer", "number"}
    kinds = {str: "string", float: "number", list: "array", dict: "object", type(None): "null"}
    return {kinds[type(value)]}


def write_kind(rules: Rules, kind: str, schema: Schema, at: str) -> str:
    """Write the rule for the values of one kind that a schema allows; return its name."""
    if kind == "object":
        return _object(rules, schema, at)
    if kind == "array":
        return _array(rules, schema, at)
    if kind == "string":
        return _string(rules, schema, at)
    if kind in ("integer", "number"):
        return _number(rules, kind, schema, at)
    return rules.add('"true" | "false"' if kind == "boolean" else '"null"')


def _string(rules: Rules, schema: Schema, at: str) -> str:
    low, high = _count(schema, "minLength", _MOST_LETTERS, at), _count(schema, "maxLength", _MOST_LETTERS, at)
    if low is None and high is None:
        return "string"
    return rules.add(rf'"\"" char{_times(low or 0, high, at)} "\""')


def _number(rules: Rules, kind: str, schema: Schema, at: str) -> str:
    bounds = {key: _bound(schema, key, at) for key in DEMANDS["number"]}
    if all(bound is None for bound in bounds.values()):
        return kind
    # The outermost whole numbers, and those between which decimals are allowed too.
    low = [math.ceil(bounds["minimum"])] if bounds["minimum"] is not None else []
    high = [math.floor(bounds["maximum"])] if bounds["maximum"] is not None else []
    decimals_low, decimals_high = list(low), list(high)
    if (beyond := bounds["exclusiveMinimum"]) is not None:
        low.append(math.floor(beyond) + 1)
        decimals_low.append(math.ceil(beyond))
    if (beyond := bounds["exclusiveMaximum"]) is not None:
        high.append(math.ceil(beyond) - 1)
        decimals_high.append(math.floor(beyond))
    parts = [gbnf.integers(max(low, default=None), min(high, default=None))]
    if kind == "number":
        parts.append(gbnf.fractions(max(decimals_low, default=None), min(decimals_high, default=None)))
    if not any(parts):
        raise refusal(at, "there is no number to choose from")
    return rules.add(" | ".join(filter(None, parts)))


def _array(rules: Rules, schema: Schema, at: str) -> str:
    low, high = _count(schema, "minItems", _MOST_ITEMS, at) or 0, _count(schema, "maxItems", _MOST_ITEMS, at)
    items, first = schema.get("items", True), schema.get("prefixItems", [])
    if isinstance(items, list):
        raise refusal(at, "'items' is a list: call it 'prefixItems'")
    if first:
        return _tuple(rules, first if high is None else first[:high], low, at)
    if high == 0 or items is False:
        if low:
            raise refusal(at, "'minItems' asks for more than is allowed")
        return rules.add('"[]"')
    item = rules.rule(items, f"{at}/items")
    more = _times(max(low - 1, 0), None if high is None else high - 1, at)
    several = f'{item} ("," ws {item}){more} ws'
    return rules.add(f'"[" ws {several} "]"' if low else f'"[" ws ({several})? "]"')


def _tuple(rules: Rules, items: list[Schema], low: int, at: str) -> str:
    if low > len(items):
        raise refusal(at, "'minItems' beyond 'prefixItems' has no place in a grammar")
    names = [rules.rule(item, f"{at}/prefixItems/{index}") for index, item in enumerate(items)]
    return rules.add('"[" ws ' + ' "," ws '.join(names) + ' ws "]"' if names else '"[]"')


def _object(rules: Rules, schema: Schema, at: str) -> str:
    properties, required = schema.get("properties", {}), schema.get("required", [])
    extra = schema.get("additionalProperties", True)
    if not isinstance(properties, dict) or not isinstance(required, list):
        raise refusal(at, "'properties' is no object, or 'required' no list")
    missing = {name: extra for name in required if name not in properties}
    if missing and extra is False:
        raise refusal(at, f"{next(iter(missing))!r} is required and not allowed")
    properties = {**properties, **missing}
    if not properties:
        return "object" if extra is True else _map(rules, extra, at)
    # From the last one backwards: what may come where nothing stands yet, and behind another one.
    first = rest = '""'
    for name in reversed(properties):
        value = rules.rule(properties[name], f"{at}/properties/{name}")
        pair = rules.add(f'{_literal(name, at)} ":" ws {value}')
        without = (f" | {first}", f" | {rest}") if name not in required else ("", "")
        first, rest = rules.add(f"{pair} {rest}{without[0]}"), rules.add(f'"," ws {pair} {rest}{without[1]}')
    return rules.add(f'"{{" ws {first} ws "}}"')


def _map(rules: Rules, extra: Schema, at: str) -> str:
    if extra is False:
        return rules.add('"{}"')
    pair = rules.add(f'string ":" ws {rules.rule(extra, f"{at}/additionalProperties")}')
    return rules.add(f'"{{" ws ({pair} ("," ws {pair})* ws)? "}}"')


def write_literals(rules: Rules, values: list[Any], at: str) -> str:
    """Write the rule for a choice of values."""
    return rules.add(" | ".join(dict.fromkeys(_literal(value, at) for value in values)))


def _literal(value: Any, at: str) -> str:  # noqa: ANN401 - the shape of JSON
    try:
        return gbnf.literal(value)
    except ValueError:
        raise refusal(at, f"{value!a} cannot be written") from None


def _count(schema: Schema, key: str, most: int, at: str) -> int | None:
    count = schema.get(key)
    if count is None:
        return None
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise refusal(at, f"{key!r} is no count")
    if count > most:
        raise refusal(at, f"{key!r} is more than {most}")
    return count


def _times(low: int, high: int | None, at: str) -> str:
    if high is not None and high < low:
        raise refusal(at, "a minimum is above its maximum")
    return f"{{{low},{'' if high is None else high}}}"


def _bound(schema: Schema, key: str, at: str) -> float | None:
    bound = schema.get(key)
    if bound is None:
        return None
    if isinstance(bound, bool) or not isinstance(bound, (int, float)) or not math.isfinite(bound):
        raise refusal(at, f"{key!r} is no number")
    return bound
