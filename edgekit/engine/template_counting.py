"""Counts put into a chat template where it is compiled, so that what it does can be held to a budget."""
# ruff: noqa: N802, D102 - Jinja calls what visits a node by the node's name

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jinja2 import nodes, pass_context
from jinja2.runtime import Context
from jinja2.visitor import NodeTransformer

from edgekit.engine.template_budget import current


class Counting(NodeTransformer):
    """Puts a count into everything that can run more than once, and before what takes as long as its operand is."""

    def visit_For(self, node: nodes.For) -> nodes.Node:
        if node.test is not None:
            # Steps that the condition leaves out are steps.
            node.test = nodes.And(_charge(node.test, 2), node.test, lineno=node.lineno)
        return self._counted(node)

    def visit_Macro(self, node: nodes.Macro) -> nodes.Node:
        return self._counted(node)

    def visit_CallBlock(self, node: nodes.CallBlock) -> nodes.Node:
        return self._counted(node)

    def visit_Block(self, node: nodes.Block) -> nodes.Node:
        return self._counted(node)

    def _counted(self, node: nodes.For | nodes.Macro | nodes.CallBlock | nodes.Block) -> nodes.Node:
        cost = sum(1 for inner in node.body for _ in inner.find_all(nodes.Node)) + len(node.body)
        self.generic_visit(node)
        node.body.insert(0, nodes.ExprStmt(_charge(node, cost + 10), lineno=node.lineno))
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Expr:
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), "concatenated")

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Expr:
        self.generic_visit(node)
        if isinstance(node.arg, nodes.Slice):
            node.node = _filtered(node.node, "sliced")
        return node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Expr:
        self.generic_visit(node)
        sides = [node.expr, *(operand.expr for operand in node.ops)]
        looks_in = any(operand.op in ("in", "notin") for operand in node.ops)
        # What is compared with a constant ends where that ends.
        if looks_in or sum(not isinstance(side, nodes.Const) for side in sides) > 1:
            node.expr = _weighed(node.expr)
            for operand in node.ops:
                operand.expr = _weighed(operand.expr)
        return node


def _weighed(node: nodes.Expr) -> nodes.Expr:
    return node if isinstance(node, nodes.Const) else _filtered(node, "weighed")


def _filtered(node: nodes.Expr, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


def _charge(place: nodes.Node, work: int) -> nodes.Filter:
    return _filtered(nodes.Const(work, lineno=place.lineno), "charged")


# With the context, so that Jinja does not compute it when it compiles the template.
@pass_context
def _charged(_context: Context, work: int) -> bool:
    # A template can name this one, too.
    current().charge(abs(work))
    return True


def _concatenated(parts: list[Any]) -> str:
    current().weigh(parts)
    return "".join(map(str, parts))


def _sliced(value: Any) -> Any:  # noqa: ANN401
    current().charge(len(value) if hasattr(value, "__len__") else 1)
    return value


def _weighing(value: Any) -> Any:  # noqa: ANN401
    current().weigh(value)
    return value


# What `Counting` puts in are filters: the only nodes that call a function of ours.
COUNTING_FILTERS: dict[str, Callable[..., Any]] = {
    "charged": _charged,
    "concatenated": _concatenated,
    "sliced": _sliced,
    "weighed": _weighing,
}
