"""What the vision and the audio tower have in common: how their tensors are named."""

from __future__ import annotations

import re
from collections.abc import Mapping

from edgekit.convert.checkpoint import Weight
from edgekit.convert.plan import TensorPlan
from edgekit.errors import UnsupportedError

# A clipped linear layer has its matrix one level deeper, and the bounds of its input and output beside it.
_ENDINGS = ("weight", "bias", "input_min", "input_max", "output_min", "output_max")


def plan(
    weight: Weight, prefix: str, layer: re.Pattern[str], layer_names: Mapping[str, str], names: Mapping[str, str]
) -> TensorPlan:
    """Return the plan for a tensor whose name, without its ending, stands in one of two tables.

    Raises UnsupportedError for a tensor that llama.cpp has no place for.
    """
    stem, _, ending = weight.name.rpartition(".")
    if ending not in _ENDINGS:
        # A bare parameter, such as a position table, is a weight in GGUF.
        stem, ending = weight.name, "weight"
    stem = stem.removesuffix(".linear")
    match = layer.fullmatch(stem)
    if match and match[2] in layer_names:
        name = f"{prefix}.blk.{int(match[1])}.{layer_names[match[2]]}"
    elif stem in names:
        name = names[stem]
    else:
        raise UnsupportedError(f"the checkpoint's {weight.name} has no place in llama.cpp's projector for Gemma 4")
    return TensorPlan(f"{name}.{ending}", weight.shape or (1,), weight)
