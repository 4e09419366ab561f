"""Jinja's filters and tests, each asking the budget first."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

from jinja2.filters import FILTERS
from jinja2.runtime import LoopContext
from jinja2.tests import TESTS

from edgekit.engine import template_budget
from edgekit.engine.template_budget import current

# For web pages, or of quadratic cost, and used by no chat template that we know.
_UNUSED_FILTERS = frozenset(
    {"batch", "center", "pprint", "slice", "striptags", "sum", "urlize", "wordwrap", "xmlattr", "filesizeformat"}
)
# Of no cost, whatever they are given.
_CHEAP_FILTERS = frozenset({"count", "d", "default", "first", "items", "last", "length"})
_COMPARING_TESTS = frozenset(
    {"in", "eq", "equalto", "ne", "gt", "greaterthan", "ge", "lt", "lessthan", "le", "==", "!=", ">", ">=", "<", "<="}
)


def limited_filters() -> dict[str, Callable[..., Any]]:
    """Return the filters that chat templates may use, by name."""
    wanted = {name: each for name, each in FILTERS.items() if name not in _UNUSED_FILTERS} | {"tojson": _to_json}
    return {name: _limited(name, each) for name, each in wanted.items()}


def limited_tests() -> dict[str, Callable[..., Any]]:
    """Return the tests that compare, by name."""
    tests: dict[str, Any] = TESTS
    return {name: _weighing(tests[name]) for name in _COMPARING_TESTS}


def listed(value: Any) -> Any:  # noqa: ANN401
    """Return what comes piece by piece as a list, which has a size; anything else as it is."""
    if not isinstance(value, Iterator) or isinstance(value, LoopContext):
        return value
    items = []
    for item in value:
        current().charge(1)
        items.append(item)
    return items


def _weighing(test: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(test)
    def weighing(*values: Any) -> Any:  # noqa: ANN401
        current().weigh(values)
        return test(*values)

    return weighing


def _limited(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    if name in _CHEAP_FILTERS:
        return function
    # Where Jinja passes its context or its environment first, the value comes second.
    first = int(hasattr(function, "jinja_pass_arg"))
    check = _CHECKS.get(name)

    @wraps(function)
    def limited(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        if check:
            args = (*args[:first], listed(args[first]), *args[first + 1 :])
        current().weigh((*args[first:], *kwargs.values()))
        if check:
            check(*args[first:], **kwargs)
        return function(*args, **kwargs)

    return limited


def _check_indent(text: object, width: object = 4, *_: object, **__: object) -> None:
    size = len(width) if isinstance(width, str) else int(str(width))
    current().check(len(str(text)) + (str(text).count("\n") + 1) * size)


def _check_json(value: object, *given: object, **named: object) -> None:
    sizes = [one if isinstance(one, int) else current().weigh(one) for one in (*given, *named.values())]
    current().check(current().weigh(value) * (1 + max(sizes, default=0)))


def _check_round(_value: object, precision: object = 0, method: object = "") -> None:
    current().check_number(abs(precision) if isinstance(precision, int) else 1)


def _check_join(items: object, d: object = "", attribute: object = None) -> None:
    current().check(template_budget.joined(d, items))


def _check_replace(s: object, old: object = "", new: object = "", count: object = None) -> None:
    current().check(template_budget.replaced(s, old, new))


def _check_trim(value: object, chars: object = None) -> None:
    current().charge(template_budget.trimmed(value, chars))


def _check_percent(text: object, *given: object, **named: object) -> None:
    template_budget.check_percent(str(text), (given, named))


_CHECKS: dict[str, Callable[..., None]] = {
    "format": _check_percent,
    "indent": _check_indent,
    "join": _check_join,
    "replace": _check_replace,
    "round": _check_round,
    "tojson": _check_json,
    "trim": _check_trim,
}


def _to_json(
    value: object,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    # Jinja's own filter escapes what is special in HTML.
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
