"""What the vision and the audio tower have in common: how their tensors are named and which must be there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from edgekit.convert.checkpoint import Weight
from edgekit.convert.gemma4.config import TowerConfig
from edgekit.convert.plan import TensorPlan
from edgekit.errors import UnsupportedError

# A clipped linear layer has its matrix one level deeper, and the bounds of its input and output beside it.
_BOUNDS = ("input_min", "input_max", "output_min", "output_max")
_ENDINGS = ("weight", "bias", *_BOUNDS)
# Parameters without a module of their own; in GGUF they are weights.
_BARE = (".position_embedding_table", ".per_dim_scale")


@dataclass(frozen=True)
class Naming:
    """How a tower's tensors are called in a checkpoint and in GGUF, both without their endings."""

    # What a layer's number stands behind, in the checkpoint and in GGUF.
    layers: tuple[str, str]
    layer_names: Mapping[str, str]
    names: Mapping[str, str]
    # Parts of a layer whose input and output may be clipped; their matrices lie one level deeper in any case.
    clippable: frozenset[str]
    # The few that have a bias.
    biased: tuple[str, ...] = ()

    def plan(self, weight: Weight) -> TensorPlan:
        """Return the plan for a tensor; raises UnsupportedError for one that llama.cpp has no place for."""
        stem, _, ending = weight.name.rpartition(".")
        if ending not in _ENDINGS:
            stem, ending = weight.name, "weight"
        name = self._gguf_name(stem.removesuffix(".linear"))
        if name is None:
            raise UnsupportedError(f"the checkpoint's {weight.name} has no place in llama.cpp's projector for Gemma 4")
        return TensorPlan(f"{name}.{ending}", weight.shape or (1,), weight, unbounded=ending in _BOUNDS)

    def expected(self, config: TowerConfig) -> Iterator[tuple[str, str]]:
        """Yield every tensor that the tower must have, as GGUF and as the checkpoint call it."""
        for stem, name in self.names.items():
            yield f"{name}.weight", _spelled(stem)
            if stem in self.biased:
                yield f"{name}.bias", f"{stem}.bias"
        for layer in range(config.layers):
            for part, name in self.layer_names.items():
                yield from self._expected_in_layer(layer, part, name, config.clipped)

    def _expected_in_layer(self, layer: int, part: str, name: str, clipped: bool) -> Iterator[tuple[str, str]]:
        inside, outside = (f"{prefix}{layer}." for prefix in self.layers)
        stem = f"{inside}{part}"
        yield f"{outside}{name}.weight", f"{stem}.linear.weight" if part in self.clippable else _spelled(stem)
        if clipped and part in self.clippable:
            yield from ((f"{outside}{name}.{bound}", f"{stem}.{bound}") for bound in _BOUNDS)

    def _gguf_name(self, stem: str) -> str | None:
        inside, outside = self.layers
        match = re.fullmatch(rf"{re.escape(inside)}(\d+)\.(.+)", stem)
        if match and match[2] in self.layer_names:
            return f"{outside}{int(match[1])}.{self.layer_names[match[2]]}"
        return self.names.get(stem)


def _spelled(stem: str) -> str:
    return stem if stem.endswith(_BARE) else f"{stem}.weight"
