"""Rows that training has added to a table of tokens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekit.convert.adapter.changes import Change
from edgekit.convert.safetensors import Doubles, Floats


@dataclass(frozen=True)
class Appended(Change):
    """Rows that only the adapter's copy of a table has; those that were there before stay the base weight's own."""

    # Which, in order.
    indices: tuple[int, ...] = ()

    def rows(self, base: Floats, start: int) -> Doubles:
        """See Change."""
        made = np.zeros(base.shape)
        inside = [index - start for index in self.indices if start <= index < start + len(base)]
        if inside:
            made[inside] = self.origin.factors.rows(self.keys[0], start, start + len(base))[inside]
        return made
