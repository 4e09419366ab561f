"""A checkpoint's weights by the part of their names that all spellings have in common."""

from __future__ import annotations

from collections.abc import Mapping

from edgekit.convert.checkpoint import Weight
from edgekit.convert.names import plain_name


class Tensors:
    """The weights that adapters may change."""

    def __init__(self, weights: Mapping[str, Weight], unused: Mapping[str, str]) -> None:
        """`unused` names weights that need not exist, since they are never used."""
        self._weights = weights
        self._named = {plain_name(name): name for name in [*unused, *weights]}

    def name(self, plain: str) -> str | None:
        """Return a weight's name in the checkpoint, whether it exists or is only never used."""
        return self._named.get(plain)

    def weight(self, name: str) -> Weight | None:
        """Return a weight by its name in the checkpoint."""
        return self._weights.get(name)

    def stacks(self, module: str) -> list[tuple[str, Weight]]:
        """Return a module's own three-dimensional weights: a matrix for each expert; with them their last names."""
        inside = f"{module}."
        return [
            (plain.removeprefix(inside), self._weights[name])
            for plain, name in self._named.items()
            if plain.startswith(inside) and "." not in plain.removeprefix(inside) and name in self._weights
            if len(self._weights[name].shape) == 3
        ]
