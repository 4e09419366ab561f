"""Linear layers whose inputs and outputs are clipped: four bounds beside the matrix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from edgekit.convert.tables import Row

_BOUNDS = ("input_min", "input_max", "output_min", "output_max")
_MATRIX = ".weight"


def with_bounds(rows: Mapping[str, Row], clippable: Iterable[str]) -> tuple[dict[str, Row], list[str]]:
    """Return a table with the bounds of its clippable matrices, and the names of those bounds."""
    bounds = {
        f"{name.removesuffix(_MATRIX)}.{bound}": Row(
            f"{rows[name].name.removesuffix(_MATRIX)}.{bound}", "one", unbounded=True
        )
        for name in clippable
        for bound in _BOUNDS
    }
    return {**rows, **bounds}, list(bounds)
