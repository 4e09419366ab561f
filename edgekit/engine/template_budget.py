"""How much a chat template may compute: work counted in steps and characters, and the size of every text and list."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from jinja2.exceptions import TemplateRuntimeError
from jinja2.utils import Namespace

# What a template may make of the smallest conversation, in characters and elements, and of each of its characters more.
_SMALLEST, _GROWTH = 1 << 20, 16
# Work for every character or element that a template may make: a few seconds, where honest ones take milliseconds.
_WORK = 15
# Work of asking, in those of counting an element.
_ASKED = 20
# Digits of the largest number.
_DIGITS = 4000
# Beyond the width of any column: in `%99999d` and in `{:99999}` alike.
_WIDE_PERCENT = re.compile(r"%(\([^)]*\))?[^a-zA-Z%]*(\d{5}|\*)")
_WIDE_FORMAT = re.compile(r"\{[^{}]*(\d{5}|\{)")


class Budget:
    """What is left for one rendering."""

    def __init__(self, given: object = None) -> None:
        """Allow what suits a conversation: more for a long one."""
        self.size = self.work = 1 << 62
        self.size = _SMALLEST + _GROWTH * self.weigh(given)
        self.work = _WORK * self.size

    def charge(self, work: int) -> None:
        """Count work; TemplateRuntimeError where there was too much."""
        self.work -= work
        if self.work < 0:
            raise TemplateRuntimeError("it computes without end")

    def check(self, size: int) -> None:
        """Count a text or list that is about to be made; TemplateRuntimeError where it is too large."""
        if size > self.size:
            raise TemplateRuntimeError("it makes a text or a list without end")
        self.charge(size + _ASKED)

    def weigh(self, value: object) -> int:
        """Count a value by its characters, elements and digits, however they are nested, and return how many."""
        size = len(value) if type(value) is str else self._tree(value)
        self.check(size)
        return size

    def _tree(self, value: object) -> int:
        size, left = 1, [value]
        # A list that holds itself, or another one twice at each of forty levels, ends at the limit.
        while left and size <= self.size:
            one = left.pop()
            if one is None or isinstance(one, (float, bool)):
                size += 1
            elif isinstance(one, int):
                size += one.bit_length() // 3 + 1
            elif isinstance(one, (str, range)):
                size += len(one)
            elif isinstance(one, Namespace):
                left += one._Namespace__attrs.values()
            elif isinstance(one, Mapping):
                size += len(one)
                left += [*one.keys(), *one.values()]
            elif isinstance(one, Collection):
                size += len(one) + 1
                left += one
        return size

    def check_number(self, digits: int) -> None:
        """Refuse a number that would be too long."""
        if digits > _DIGITS:
            raise TemplateRuntimeError("it computes with numbers without end")


_current: ContextVar[Budget] = ContextVar("_current")


def current() -> Budget:
    """Return the budget of the rendering that runs."""
    return _current.get()


@contextmanager
def allowed(budget: Budget) -> Iterator[None]:
    """Let what the body renders count against a budget."""
    token = _current.set(budget)
    try:
        yield
    finally:
        _current.reset(token)


def check_percent(text: str, values: object) -> None:
    """Refuse what `text % values` would make too large."""
    if _WIDE_PERCENT.search(text):
        raise TemplateRuntimeError(f"it formats with {text[:40]!r}")
    current().check(len(text) + text.count("%") * current().weigh(values))


def check_format(text: str, values: object) -> None:
    """Refuse what `text.format(values)` would make too large."""
    if _WIDE_FORMAT.search(text.replace("{{", "").replace("}}", "")):
        raise TemplateRuntimeError(f"it formats with {text[:40]!r}")
    current().check(len(text) + text.count("{") * current().weigh(values))


def check_method(owner: object, name: str, arguments: Sequence[Any], named: Mapping[str, Any]) -> None:
    """Refuse a call of a built-in method that makes much of little; what it is given is counted."""
    budget = current()
    budget.weigh(owner)
    given = (*arguments, *named.values())
    budget.weigh(given)
    if isinstance(owner, str):
        _check_text_method(budget, owner, name, given)
    elif isinstance(owner, int) and name in ("to_bytes", "from_bytes"):
        raise TemplateRuntimeError(f"it calls {name}")


def _check_text_method(budget: Budget, text: str, name: str, given: Sequence[Any]) -> None:
    if name in ("translate", "maketrans", "encode"):
        raise TemplateRuntimeError(f"it calls {name}")
    if name in ("format", "format_map"):
        check_format(text, given)
    elif name in _TEXT_SIZES:
        budget.check(_TEXT_SIZES[name](text, *given))
    elif name in _QUADRATIC:
        budget.charge(_quadratic(text, *given))


def replaced(text: object, old: object = "", new: object = "", *_: object) -> int:
    """Return the characters of a text in which every `old` has become `new`."""
    if not (isinstance(text, str) and isinstance(old, str) and isinstance(new, str)):
        return 1
    return len(text) + text.count(old) * len(new)


def joined(separator: object, items: object = (), *_: object) -> int:
    """Return the characters of items with a separator between them."""
    if not (isinstance(separator, str) and isinstance(items, Collection)):
        return 1
    return current().weigh(items) + len(separator) * len(items)


def _padded(text: str, *given: object) -> int:
    return len(text) + max((one for one in given if isinstance(one, int)), default=0)


def _tabs(text: str, *given: object) -> int:
    return len(text) + text.count("\t") * _padded("", *given)


def _quadratic(text: str, *given: object) -> int:
    # Python's own searches from the right, and the strips, compare every character with every one.
    return len(text) * max((len(one) for one in given if isinstance(one, str)), default=0)


_TEXT_SIZES: dict[str, Callable[..., int]] = {
    "replace": replaced,
    "join": joined,
    "center": _padded,
    "ljust": _padded,
    "rjust": _padded,
    "zfill": _padded,
    "expandtabs": _tabs,
}
_QUADRATIC = frozenset({"strip", "lstrip", "rstrip", "rfind", "rindex", "rsplit", "rpartition"})


def trimmed(text: object, characters: object = None, *_: object) -> int:
    """Return the work of trimming characters off a text."""
    return _quadratic(text, characters) if isinstance(text, str) else 1
