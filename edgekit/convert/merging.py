"""Merges adapters into rows of weights and keeps account of how much they change."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from threading import Lock

import numpy as np
import numpy.typing as npt

from edgekit.convert.adapter import Delta, LedgerEntry
from edgekit.convert.safetensors import Floats


class Merging:
    """The changes of all weights; safe to use from several threads."""

    def __init__(self, deltas: Mapping[str, Sequence[Delta]], unused: Mapping[str, str]) -> None:
        """Take changes by weight, and for weights that no output uses the reason."""
        self._deltas = deltas
        self._unused = unused
        self._lock = Lock()
        # Squared Frobenius norms of the weight and of each change, summed over the rows seen.
        self._weight_square: dict[str, float] = defaultdict(float)
        self._change_square: dict[tuple[str, str], float] = defaultdict(float)

    def touches(self, tensor: str) -> bool:
        """Say whether any change is made to a weight."""
        return bool(self._deltas.get(tensor)) and tensor not in self._unused

    def apply(self, tensor: str, rows: Floats, start: int) -> Floats:
        """Return rows of a weight, beginning at row `start`, with every change added and rounded once."""
        return self.exact(tensor, rows, start).astype(np.float32) if self.touches(tensor) else rows

    def exact(self, tensor: str, rows: Floats, start: int) -> npt.NDArray[np.float64]:
        """Return what `apply` does before it rounds."""
        deltas = self._deltas.get(tensor, ())
        merged = rows.astype(np.float64)
        weight_square = _square(merged)
        for delta in deltas:
            change = delta.rows(start, start + len(rows))
            merged += change
            with self._lock:
                self._change_square[tensor, delta.adapter] += _square(change)
        with self._lock:
            self._weight_square[tensor] += weight_square
        return merged

    def ledger(self) -> list[LedgerEntry]:
        """Return a line for each key of each adapter, in the order of the weights."""
        return [
            entry
            for tensor, deltas in self._deltas.items()
            for delta in deltas
            for entry in delta.entries(tensor, self._relative_change(tensor, delta.adapter), self._unused.get(tensor))
        ]

    def _relative_change(self, tensor: str, adapter: str) -> float | None:
        square = self._weight_square.get(tensor)
        if square is None:
            return None
        # A weight of zeros has no size to compare with.
        return math.sqrt(self._change_square[tensor, adapter] / square) if square else None


def _square(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    flat = values.reshape(-1)
    return float(flat @ flat)
