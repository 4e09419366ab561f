"""A tensor to be written: where it comes from and what it becomes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from gguf import GGMLQuantizationType

from edgekit.convert.checkpoint import Weight
from edgekit.convert.safetensors import Floats

# Returns rows of a weight, which begin at a row, with what is merged into them.
Merge = Callable[[str, Floats, int], Floats]


@dataclass(frozen=True)
class TensorPlan:
    """A tensor of a GGUF file, of `shape` as numpy has it, made from rows of weights or from given values."""

    name: str
    shape: tuple[int, ...]
    weight: Weight | None = None
    # Applied to rows of the weight after adapters are merged; treats each row alone unless it needs the whole.
    transform: Callable[[Floats], Floats] | None = None
    # The tensor itself, where it is computed and not read.
    values: Floats | None = None
    # Whether infinity is a value like others: that of a bound where nothing is clipped.
    unbounded: bool = False
    # Whether the transform moves values between rows: then the tensor is made in one block.
    whole: bool = False
    # Further weights of the same shape that lie behind the first: each is one step of the first dimension.
    stacked: tuple[Weight, ...] = ()
    # The type that it is stored in whatever the quantization.
    stored: GGMLQuantizationType | None = None

    @property
    def height(self) -> int:
        """How many rows are written: steps of the first dimension."""
        return self.shape[0]

    @property
    def elements(self) -> int:
        """How many values the tensor has."""
        return math.prod(self.shape)

    @property
    def weights(self) -> tuple[Weight, ...]:
        """All weights that it is made from."""
        return (self.weight, *self.stacked) if self.weight else ()

    def rows(self, start: int, stop: int, merge: Merge) -> Floats:
        """Return rows as they are to be written, of the shape that is written."""
        found = self._read(start, stop, merge)
        if self.transform:
            found = self.transform(found)
        return found.reshape(stop - start, *self.shape[1:])

    def _read(self, start: int, stop: int, merge: Merge) -> Floats:
        if self.weight is None:
            assert self.values is not None
            return self.values[start:stop]
        if self.stacked:
            return np.stack([merge(one.name, one.rows(0, one.height), 0) for one in self.weights[start:stop]])
        # A transform of the whole may change which dimension comes first.
        first, last = (0, self.weight.height) if self.whole else (start, min(stop, self.weight.height))
        found = merge(self.weight.name, self.weight.rows(min(first, last), last), first)
        missing = 0 if self.whole else stop - start - len(found)
        return np.concatenate([found, np.zeros((missing, *found.shape[1:]), np.float32)]) if missing else found
