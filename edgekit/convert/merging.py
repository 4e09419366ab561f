"""Merges adapters into rows of weights and keeps account of how much they change."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Literal

import numpy as np

from edgekit.convert.adapter import Change, LedgerEntry
from edgekit.convert.adapter.changes import Untrained
from edgekit.convert.safetensors import Doubles, Floats


class Merging:
    """The changes of all weights; safe to use from several threads."""

    def __init__(
        self, changes: Mapping[str, Sequence[Change]], unused: Mapping[str, str], refused: Sequence[LedgerEntry] = ()
    ) -> None:
        """Take changes by weight, for weights that no output uses the reason, and what the ledger has besides."""
        self._changes = changes
        self._unused = unused
        self._refused = refused
        self._lock = Lock()
        # Squared Frobenius norms of the weight and of each of its changes, summed over the rows seen.
        self._weight_square: dict[str, float] = defaultdict(float)
        self._change_square: dict[tuple[str, int], float] = defaultdict(float)

    def uncounted(self) -> Merging:
        """Return the same changes with an account of their own, for rows that are only tried."""
        return Merging(self._changes, self._unused)

    @property
    def kept(self) -> int:
        """The bytes that adapters' tensors may hold beside the blocks at work."""
        largest: dict[int, int] = defaultdict(int)
        for change in (change for changes in self._changes.values() for change in changes):
            factors = change.origin.factors
            sizes = [math.prod(factors.shape(key)) for key in change.kept]
            largest[id(factors)] = max(largest[id(factors)], *sizes, 0)
        # Two are kept in double precision while a third is read.
        return sum(4 * 8 * values for values in largest.values())

    def touches(self, tensor: str) -> bool:
        """Say whether any change is made to a weight."""
        return bool(self._changes.get(tensor)) and tensor not in self._unused

    def apply(self, tensor: str, rows: Floats, start: int) -> Floats:
        """Return rows of a weight, beginning at row `start`, with every change added and rounded once."""
        if not self.touches(tensor):
            return rows
        # Whoever asked refuses what became infinite.
        with np.errstate(over="ignore", invalid="ignore"):
            return self.exact(tensor, rows, start).astype(np.float32)

    def exact(self, tensor: str, rows: Floats, start: int) -> Doubles:
        """Return what `apply` does before it rounds: base + sum of weight * (what an adapter makes of it - base)."""
        merged: Doubles | None = None
        kept = 1.0
        squares = []
        for change in self._changes[tensor]:
            made = change.rows(rows, start)
            squares.append(_square(_difference(made, rows) if change.replaces else made))
            if change.origin.weight != 1:
                made *= change.origin.weight
            if change.replaces:
                kept -= change.origin.weight
            merged = made if merged is None else np.add(merged, made, out=merged)
        assert merged is not None
        if kept == 1:
            merged += rows
        elif kept:
            merged += kept * rows.astype(np.float64)
        self._count(tensor, rows, squares)
        return merged

    def ledger(self) -> list[LedgerEntry]:
        """Return a line for each key of each adapter, in the order of the weights, then those that were left out."""
        merged = [
            self._entry(tensor, number, change, key)
            for tensor, changes in self._changes.items()
            for number, change in enumerate(changes)
            for key in (*change.keys, *change.tied_keys)
        ]
        return [*merged, *self._refused]

    def _entry(self, tensor: str, number: int, change: Change, key: str) -> LedgerEntry:
        unused = self._unused.get(tensor)
        idle = unused or isinstance(change, Untrained)
        status: Literal["merged", "ineffective"] = "ineffective" if idle else "merged"
        scale = change.scale * change.origin.weight
        relative = self._relative_change(tensor, number, change.origin.weight)
        return LedgerEntry(change.origin.adapter, key, tensor, status, scale, relative, unused or change.note)

    def _count(self, tensor: str, rows: Floats, squares: Sequence[float]) -> None:
        weight_square = _square(rows)
        with self._lock:
            self._weight_square[tensor] += weight_square
            for number, square in enumerate(squares):
                self._change_square[tensor, number] += square

    def _relative_change(self, tensor: str, number: int, scale: float) -> float | None:
        weight_square = self._weight_square.get(tensor)
        if not weight_square:
            # A weight of zeros has no size to compare with.
            return None
        relative = abs(scale) * math.sqrt(self._change_square[tensor, number] / weight_square)
        return relative if math.isfinite(relative) else None


def _difference(made: Doubles, rows: Floats) -> Doubles:
    # Bounds of clipped layers may be infinite, and stay so.
    with np.errstate(invalid="ignore"):
        found: Doubles = made - rows
    return found


def _square(values: Doubles | Floats) -> float:
    flat = values.reshape(-1)
    return float(flat @ flat)
