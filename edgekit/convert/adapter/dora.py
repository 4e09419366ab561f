"""DoRA: a low-rank change whose direction and length are trained apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import ClassVar

import numpy as np

from edgekit.convert.adapter.changes import Change
from edgekit.convert.checkpoint import Weight
from edgekit.convert.safetensors import Doubles, Floats

# Values that are summed at once.
_BLOCK = 1 << 18


@dataclass(frozen=True)
class DoraRows(Change):
    """m / |W + D| * (W + D), a length for each row; `inner` makes D, the last key is m. Source: peft's dora.py."""

    inner: Change | None = None
    replaces: ClassVar[bool] = True

    @property
    def kept(self) -> tuple[str, ...]:
        """See Change."""
        return (*(self.inner.kept if self.inner else ()), self.keys[-1])

    def rows(self, base: Floats, start: int) -> Doubles:
        """See Change."""
        assert self.inner is not None
        made = self.inner.rows(base, start)
        made += base
        flat = made.reshape(len(base), -1)
        magnitude = self.origin.factors.whole(self.keys[-1]).reshape(-1)[start : start + len(base)]
        flat *= _share(magnitude, np.einsum("ij,ij->i", flat, flat))[:, None]
        return made


@dataclass(frozen=True)
class DoraColumns(Change):
    """The same for an embedding, where each column has a length; it takes a pass over the whole weight."""

    inner: Change | None = None
    source: Weight | None = None
    _lock: Lock = field(default_factory=Lock)
    _shares: list[Doubles] = field(default_factory=list)
    replaces: ClassVar[bool] = True

    @property
    def kept(self) -> tuple[str, ...]:
        """See Change."""
        return (*(self.inner.kept if self.inner else ()), self.keys[-1])

    def rows(self, base: Floats, start: int) -> Doubles:
        """See Change."""
        assert self.inner is not None
        made = self.inner.rows(base, start)
        made += base
        made *= self._share_of_columns()
        return made

    def _share_of_columns(self) -> Doubles:
        with self._lock:
            if not self._shares:
                self._shares.append(_share(self.origin.factors.whole(self.keys[-1]).reshape(-1), self._squares()))
            return self._shares[0]

    def _squares(self) -> Doubles:
        assert self.inner is not None
        assert self.source is not None
        squares = np.zeros(self.source.width)
        step = max(1, _BLOCK // self.source.width)
        for start in range(0, self.source.height, step):
            base = self.source.rows(start, min(start + step, self.source.height))
            changed = self.inner.rows(base, start)
            changed += base
            squares += np.einsum("ij,ij->j", changed, changed)
        return squares


def _share(magnitude: Doubles, squares: Doubles) -> Doubles:
    # A row of zeros has no direction: it stays.
    lengths = np.sqrt(squares)
    return np.divide(magnitude, lengths, out=np.zeros_like(lengths), where=lengths > 0)
