"""What an adapter does to one weight: a sum, or another weight in its place."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from edgekit.convert.adapter.factors import Factors
from edgekit.convert.safetensors import Doubles, Floats


@dataclass(frozen=True)
class Origin:
    """The adapter that a change comes from."""

    adapter: str
    # How much of it its user wants.
    weight: float
    factors: Factors


@dataclass(frozen=True)
class Change(ABC):
    """A change of one weight by one adapter; formulas are those of peft's merge."""

    origin: Origin
    keys: tuple[str, ...]
    # alpha over rank or its root; 1 for what is trained whole.
    scale: float = 1.0
    # What a reader of the ledger should know.
    note: str | None = None
    # Keys that say the same of a tied weight.
    tied_keys: tuple[str, ...] = ()
    # Whether `rows` are what the weight becomes, and not what is added to it.
    replaces: ClassVar[bool] = False

    @property
    def kept(self) -> tuple[str, ...]:
        """The keys of what is read whole, and held in memory for the next block."""
        return ()

    @abstractmethod
    def rows(self, base: Floats, start: int) -> Doubles:
        """Return rows from `start` on, for those of the base weight, `base`, and of their shape.

        The adapter's own weight is not in them.
        """


@dataclass(frozen=True)
class LowRank(Change):
    """scale * B @ A of a matrix, or of a convolution's kernels as rows of one; keys are A and B."""

    @property
    def kept(self) -> tuple[str, ...]:
        """See Change."""
        return self.keys[:1]

    def rows(self, base: Floats, start: int) -> Doubles:
        """See Change."""
        low = self.origin.factors.whole(self.keys[0])
        high = self.origin.factors.rows(self.keys[1], start, start + len(base))
        high *= self.scale
        made: Doubles = high.reshape(len(base), -1) @ low.reshape(len(low), -1)
        return made.reshape(base.shape)


@dataclass(frozen=True)
class LowRankEmbedding(Change):
    """scale * (B @ A)^T of an embedding, whose rows are A's columns; keys are A and B."""

    @property
    def kept(self) -> tuple[str, ...]:
        """See Change."""
        return self.keys

    def rows(self, base: Floats, start: int) -> Doubles:
        """See Change."""
        low = self.origin.factors.whole(self.keys[0])[:, start : start + len(base)]
        made: Doubles = (self.scale * low.T) @ self.origin.factors.whole(self.keys[1]).T
        return made


@dataclass(frozen=True)
class LowRankExperts(Change):
    """scale * B @ A for each expert: A has r rows for one after the other, B r columns for each; keys are A and B."""

    experts: int = 1
    # Whether B's columns stand expert by expert, and not rank by rank.
    by_expert: bool = False
    # Whether A and B stand on each other's side.
    swapped: bool = False

    @property
    def kept(self) -> tuple[str, ...]:
        """See Change."""
        return self.keys[1:]

    def rows(self, base: Floats, start: int) -> Doubles:
        """See Change."""
        high = self.origin.factors.whole(self.keys[1])
        rank = high.shape[1] // self.experts
        made = np.empty(base.shape)
        for index in range(len(base)):
            expert = start + index
            columns = slice(expert * rank, (expert + 1) * rank) if self.by_expert else slice(expert, None, self.experts)
            low = self.origin.factors.rows(self.keys[0], expert * rank, (expert + 1) * rank)
            product = (self.scale * high[:, columns]) @ low
            made[index] = product.T if self.swapped else product
        return made


@dataclass(frozen=True)
class Bias(Change):
    """scale times the bias of B."""

    def rows(self, base: Floats, start: int) -> Doubles:
        """See Change."""
        return self.scale * self.origin.factors.rows(self.keys[0], start, start + len(base))


@dataclass(frozen=True)
class Whole(Change):
    """A weight that was trained whole."""

    replaces: ClassVar[bool] = True

    def rows(self, base: Floats, start: int) -> Doubles:
        """See Change."""
        return self.origin.factors.rows(self.keys[0], start, start + len(base)).reshape(base.shape)


@dataclass(frozen=True)
class Tokens(Change):
    """Some rows of an embedding that were trained."""

    indices: tuple[int, ...] = ()
    replaces: ClassVar[bool] = True

    @property
    def kept(self) -> tuple[str, ...]:
        """See Change."""
        return self.keys

    def rows(self, base: Floats, start: int) -> Doubles:
        """See Change."""
        made = base.astype(np.float64)
        trained = self.origin.factors.whole(self.keys[0])
        for row, index in enumerate(self.indices):
            if start <= index < start + len(base):
                made[index - start] = trained[row]
        return made


@dataclass(frozen=True)
class Untrained(Change):
    """A copy of the base weight, which changes nothing."""

    def rows(self, base: Floats, start: int) -> Doubles:
        """See Change."""
        return np.zeros(base.shape)
