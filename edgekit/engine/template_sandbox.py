"""Jinja's sandbox with limits: a template is a program out of a file that anybody may have written.

Attributes that lead out of a template are closed by Jinja itself (CVE-2024-34359); here it gets an end: every statement
that can run again counts its steps, and everything that makes a large text or list of small ones asks first.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NoReturn

from jinja2 import nodes
from jinja2.exceptions import TemplateError
from jinja2.ext import loopcontrols
from jinja2.runtime import Context, LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment

from edgekit.engine import template_budget
from edgekit.engine.template_budget import current
from edgekit.engine.template_counting import COUNTING_FILTERS, Counting
from edgekit.engine.template_filters import limited_filters, limited_tests, listed

# Work of writing one character: what is written stays in memory until the end.
_WRITTEN = 10


class LimitedEnvironment(ImmutableSandboxedEnvironment):
    """The sandbox that chat templates run in, with the settings that transformers uses."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols], finalize=_written)
        self.filters = limited_filters() | COUNTING_FILTERS
        self.tests |= limited_tests()
        self.globals |= {"raise_exception": _raise, "strftime_now": _now}
        # A text of any length, for trying layouts.
        del self.globals["lipsum"]

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        counted: nodes.Template = Counting().visit(super()._parse(source, name, filename))
        counted.set_environment(self)
        return counted

    def concat(self, parts: Iterable[str]) -> str:
        """Join what a template, a macro or a block has written."""
        pieces = list(parts)
        current().check(sum(map(len, pieces)))
        return "".join(pieces)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401
        """Compute what may grow without end."""
        _check_operation(operator, left, right)
        return super().call_binop(context, operator, left, right)

    def getitem(self, obj: Any, argument: Any) -> Any:  # noqa: ANN401
        """Look an item up; a key that has to be hashed counts."""
        if isinstance(argument, tuple):
            current().weigh(argument)
        return super().getitem(obj, argument)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401, N805
        """Call a macro or a method."""
        current().charge(1)
        # Jinja wraps str.format.
        method = getattr(__obj, "__wrapped__", __obj)
        if not isinstance(method, (Macro, LoopContext)):
            args = tuple(map(listed, args))
            name, owner = getattr(method, "__name__", ""), getattr(method, "__self__", None)
            template_budget.check_method(owner, name, args, kwargs)
        return super().call(__context, __obj, *args, **kwargs)


def _written(value: Any) -> Any:  # noqa: ANN401
    budget = current()
    budget.charge(_WRITTEN * budget.weigh(value))
    return value


def _check_operation(operator: str, left: object, right: object) -> None:
    budget = current()
    sizes = budget.weigh(left), budget.weigh(right)
    if operator == "%" and isinstance(left, str):
        template_budget.check_percent(left, right)
    elif isinstance(left, (int, float)) and isinstance(right, (int, float)):
        # Digits: a product has those of both, a power as many times those of the base as the exponent says.
        times = abs(right) if operator == "**" and isinstance(right, int) else 1
        budget.check_number(sizes[0] * int(times) if operator == "**" else sum(sizes))
    elif operator == "*":
        count = next((one for one in (left, right) if isinstance(one, int)), 1)
        budget.check(max(sizes) * max(count, 1))
    else:
        budget.check(sum(sizes))


def _raise(message: str) -> NoReturn:
    raise TemplateError(message)


def _now(format: str) -> str:
    return datetime.now().strftime(format)
