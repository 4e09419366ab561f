"""An adapter's tensors, read in double precision so that merging rounds only once."""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np

from edgekit.convert.safetensors import Doubles, SafetensorsFile
from edgekit.errors import AdapterError

# Values and bytes that are checked at once.
_BLOCK = 1 << 20


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

    def check(self) -> None:
        """Raise AdapterError where a value is no number."""
        for key in self.names:
            height = self.shape(key)[0] if self.shape(key) else 1
            width = max(1, int(np.prod(self.shape(key)[1:])))
            step = max(1, _BLOCK // width)
            for start in range(0, height, step):
                rows = self._file.rows(key, start, min(start + step, height))
                # A clipped layer that was trained whole has bounds, and no bound is infinity.
                if not np.isfinite(rows).all() and not (key.endswith(("_min", "_max")) and not np.isnan(rows).any()):
                    raise AdapterError(f"{self._file.path.parent}: {key} holds NaN or infinity: its training diverged")

    def digest(self) -> str:
        """Return the file's SHA-256."""
        digest = hashlib.sha256()
        for start in range(0, self._file.bytes, _BLOCK):
            digest.update(self._file.read(start, min(_BLOCK, self._file.bytes - start)))
        return digest.hexdigest()

    def _whole(self, key: str) -> Doubles:
        shape = self.shape(key)
        return self.rows(key, 0, shape[0] if shape else 1)
