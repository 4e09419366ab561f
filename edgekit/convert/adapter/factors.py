"""An adapter's tensors, read in double precision so that merging rounds only once."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from edgekit.convert.checkpoint import Weight
from edgekit.convert.safetensors import Doubles, SafetensorsFile
from edgekit.errors import AdapterError

# Values and bytes that are checked at once.
_BLOCK = 1 << 20
# More than bfloat16 loses.
_SIXTEEN_BITS = 2.0**-7


class Factors:
    """The tensors of an adapter's file; safe to use from several threads."""

    def __init__(self, file: SafetensorsFile) -> None:
        self._file = file
        # The halves that every block of rows needs whole, of the tensor at work and of the next: experts' are large.
        self._kept = lru_cache(maxsize=2)(self._whole)

    @property
    def names(self) -> list[str]:
        """The keys of all tensors."""
        return list(self._file.entries)

    def shape(self, key: str) -> tuple[int, ...]:
        """Return a tensor's shape."""
        return self._file.entries[key].shape

    def whole(self, key: str) -> Doubles:
        """Return a tensor; it is not to be written to."""
        return self._kept(key)

    def rows(self, key: str, start: int, stop: int) -> Doubles:
        """Return rows of a tensor."""
        return self._file.rows(key, start, stop).astype(np.float64)

    def resembles(self, key: str, weight: Weight) -> bool:
        """Say whether a tensor is a weight, but for rounding to 16 bits and rows that were added; shapes are equal."""
        return all(
            np.allclose(self._file.rows(key, *ends), weight.rows(*ends), rtol=_SIXTEEN_BITS, atol=1e-6)
            for ends in self._blocks(key, weight.own_height)
        )

    def equal(self, key: str, other: str) -> bool:
        """Say whether two tensors are one and the same."""
        return self.shape(key) == self.shape(other) and all(
            np.array_equal(self._file.rows(key, *ends), self._file.rows(other, *ends)) for ends in self._blocks(key)
        )

    def check(self) -> None:
        """Raise AdapterError where a value is no number."""
        for key in self.names:
            for ends in self._blocks(key):
                rows = self._file.rows(key, *ends)
                # A clipped layer that was trained whole has bounds, and no bound is infinity.
                if not np.isfinite(rows).all() and not (key.endswith(("_min", "_max")) and not np.isnan(rows).any()):
                    raise AdapterError(f"{self._file.path.parent}: {key} holds NaN or infinity: its training diverged")

    def digest(self) -> str:
        """Return the file's SHA-256."""
        digest = hashlib.sha256()
        for start in range(0, self._file.bytes, _BLOCK):
            digest.update(self._file.read(start, min(_BLOCK, self._file.bytes - start)))
        return digest.hexdigest()

    def _blocks(self, key: str, limit: int | None = None) -> Iterator[tuple[int, int]]:
        shape = self.shape(key)
        height = shape[0] if shape else 1
        height = height if limit is None else min(height, limit)
        step = max(1, _BLOCK // max(1, math.prod(shape[1:])))
        for start in range(0, height, step):
            yield start, min(start + step, height)

    def _whole(self, key: str) -> Doubles:
        shape = self.shape(key)
        return self.rows(key, 0, shape[0] if shape else 1)
