"""A tensor to be written: where it comes from and what it becomes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from edgekit.convert.checkpoint import Weight
from edgekit.convert.safetensors import Floats


@dataclass(frozen=True)
class TensorPlan:
    """A tensor of a GGUF file, of `shape` as numpy has it, made from rows of a weight or from given values."""

    name: str
    shape: tuple[int, ...]
    weight: Weight | None = None
    # Applied to rows of the weight after adapters are merged; must treat each row alone.
    transform: Callable[[Floats], Floats] | None = None
    # The tensor itself, where it is computed and not read.
    values: Floats | None = None
    # Whether infinity is a value like others: that of a bound where nothing is clipped.
    unbounded: bool = False

    @property
    def height(self) -> int:
        """How many rows are written: steps of the first dimension, which is the source's too."""
        return self.shape[0]

    @property
    def elements(self) -> int:
        """How many values the tensor has."""
        return math.prod(self.shape)
