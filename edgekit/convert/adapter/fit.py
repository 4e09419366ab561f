"""Finds the weight that each key of an adapter changes, or the reason why there is none."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from edgekit.convert.adapter.appended import Appended
from edgekit.convert.adapter.changes import (
    Bias,
    Change,
    LowRank,
    LowRankEmbedding,
    LowRankExperts,
    Origin,
    Tokens,
    Untrained,
    Whole,
)
from edgekit.convert.adapter.dora import DoraColumns, DoraRows
from edgekit.convert.adapter.keys import Key, Role
from edgekit.convert.adapter.refused import FOREIGN, RefusedError, check_rank, wrong_shape
from edgekit.convert.adapter.settings import Settings
from edgekit.convert.adapter.tensors import Tensors
from edgekit.convert.checkpoint import Weight

Halves = dict[Role, Key]
_APPENDED = "the rows of new tokens; the others are the base's own"


@dataclass(frozen=True)
class Fitter:
    """Fits one adapter onto one checkpoint."""

    origin: Origin
    settings: Settings
    tensors: Tensors

    def fit(self, halves: Halves) -> Iterator[tuple[str, Change]]:
        """Yield what the keys of one place change, by the weight's name; raises RefusedError."""
        if Role.tokens in halves:
            yield self._tokens(halves[Role.tokens])
        if Role.whole in halves:
            yield self._whole(halves[Role.whole])
        if Role.base in halves:
            yield self._base(halves[Role.base], is_replaced=Role.whole in halves)
        if Role.embedding_low in halves or Role.embedding_high in halves:
            yield self._embedding(halves)
        elif halves.keys() - {Role.tokens, Role.whole, Role.base}:
            yield self._linear(halves)
        if Role.bias in halves:
            yield self._bias(halves[Role.bias])

    def _linear(self, halves: Halves) -> tuple[str, Change]:
        low, high = _pair(halves, Role.low, Role.high)
        a, b = self._shape(low), self._shape(high)
        if self.tensors.name(f"{low.plain}.weight") is None and self.tensors.stacks(low.plain):
            return self._experts(low, high)
        name, weight = self._find(low)
        scale, rank = self.settings.scale(low.path)
        check_rank(low, a[:1], rank)
        # A convolution's B is one wide: its kernel is A's.
        if weight and ((*b[:1], *a[1:]) != weight.shape or math.prod(b[1:]) != rank or not a[1:]):
            raise wrong_shape(high, (b, a), weight)
        plain = LowRank(self.origin, (low.text, high.text), scale)
        if not self._has_magnitude(halves, weight):
            return name, plain
        magnitude = self._magnitude(halves[Role.magnitude], weight.height if weight else None)
        return name, DoraRows(self.origin, (*plain.keys, magnitude), scale, inner=plain)

    def _embedding(self, halves: Halves) -> tuple[str, Change]:
        low, high = _pair(halves, Role.embedding_low, Role.embedding_high)
        a, b = self._shape(low), self._shape(high)
        name, weight = self._find(low)
        scale, rank = self.settings.scale(low.path)
        check_rank(low, a[:1], rank)
        if weight and ((*a[1:], *b[:1]) != weight.shape or b[1:] != (rank,)):
            raise wrong_shape(high, (b, a), weight)
        plain = LowRankEmbedding(self.origin, (low.text, high.text), scale)
        if not self._has_magnitude(halves, weight):
            return name, plain
        magnitude = self._magnitude(halves[Role.magnitude], weight.width if weight else None)
        return name, DoraColumns(self.origin, (*plain.keys, magnitude), scale, inner=plain, source=weight)

    def _experts(self, low: Key, high: Key) -> tuple[str, Change]:
        """Keys of several weights of one module bear the same name: only their shapes tell which is meant."""
        a, b = self._shape(low), self._shape(high)
        stacks = self.tensors.stacks(low.plain)
        likely = self.settings.swaps_experts
        for swapped in (likely, not likely):
            for last, weight in stacks:
                experts, height, width = weight.shape
                if (a[1:], b[:1]) != (((height,), (width,)) if swapped else ((width,), (height,))) or a[:1] != b[1:]:
                    continue
                scale, rank = self.settings.scale(f"{low.path}.{last}")
                check_rank(low, a[:1], rank * experts)
                by_expert = self.settings.orders_by_expert
                note = "experts' columns in Unsloth's order" if by_expert else None
                keys = (low.text, high.text)
                return weight.name, LowRankExperts(
                    self.origin, keys, scale, note, experts=experts, by_expert=by_expert, swapped=swapped
                )
        raise wrong_shape(high, (b, a), stacks[0][1])

    def _tokens(self, key: Key) -> tuple[str, Change]:
        name, weight = self._find(key)
        indices = self.settings.token_indices(key.path)
        shape = self._shape(key)
        if weight and (shape != (len(indices), weight.width) or max(indices, default=0) >= weight.height):
            raise wrong_shape(key, (shape,), weight)
        return name, Tokens(self.origin, (key.text,), indices=tuple(indices))

    def _whole(self, key: Key) -> tuple[str, Change]:
        name = self.tensors.name(key.plain)
        if name is None:
            raise RefusedError(key, FOREIGN)
        weight = self.tensors.weight(name)
        if weight and self._shape(key) != weight.shape:
            raise wrong_shape(key, (self._shape(key),), weight)
        return name, Whole(self.origin, (key.text,))

    def _base(self, key: Key, *, is_replaced: bool) -> tuple[str, Change]:
        name, change = self._whole(key)
        weight = self.tensors.weight(name)
        if weight and not self.origin.factors.resembles(key.text, weight):
            raise RefusedError(key, f"it is the weight that the adapter was trained on, and {name} is another")
        if weight and weight.grown is not None and not is_replaced:
            trained = self.settings.trained_tokens(key.path.removesuffix(".weight"))
            new = tuple(sorted({*range(weight.own_height, weight.grown)} - {*trained}))
            return name, Appended(self.origin, change.keys, note=_APPENDED, indices=new)
        return name, Untrained(self.origin, change.keys, note="a copy of the base's own weight")

    def _bias(self, key: Key) -> tuple[str, Change]:
        name = self.tensors.name(f"{key.plain}.bias")
        if name is None:
            raise RefusedError(key, "it is a bias, and the layer that it belongs to has none")
        weight = self.tensors.weight(name)
        if weight and self._shape(key) != weight.shape:
            raise wrong_shape(key, (self._shape(key),), weight)
        return name, Bias(self.origin, (key.text,), self.settings.scale(key.path)[0])

    def _find(self, key: Key) -> tuple[str, Weight | None]:
        name = self.tensors.name(f"{key.plain}.weight")
        if name is None:
            raise RefusedError(key, FOREIGN)
        return name, self.tensors.weight(name)

    def _shape(self, key: Key) -> tuple[int, ...]:
        return self.origin.factors.shape(key.text)

    def _has_magnitude(self, halves: Halves, weight: Weight | None) -> bool:
        first = next(iter(halves.values()))
        if self.settings.uses_dora and weight and weight.grown is not None:
            raise RefusedError(first, "edgekit cannot merge DoRA into a vocabulary that it adds tokens to")
        if self.settings.uses_dora and Role.magnitude not in halves:
            raise RefusedError(first, "adapter_config.json says DoRA, and its lora_magnitude_vector is missing")
        if not self.settings.uses_dora and Role.magnitude in halves:
            raise RefusedError(halves[Role.magnitude], "it is of DoRA, and adapter_config.json does not say use_dora")
        return self.settings.uses_dora

    def _magnitude(self, key: Key, length: int | None) -> str:
        found = math.prod(self._shape(key))
        if length is not None and found != length:
            raise RefusedError(key, f"it has {found} values where {length} belong")
        return key.text


def _pair(halves: Halves, low: Role, high: Role) -> tuple[Key, Key]:
    if low not in halves or high not in halves:
        missing = low if high in halves else high
        raise RefusedError(next(iter(halves.values())), f"lora_{missing.value}, its other half, is missing")
    return halves[low], halves[high]
