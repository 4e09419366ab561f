"""What is said about a file or a folder."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from edgekit.catalog.load import variants
from edgekit.hardware.problem import Problem

Kind = Literal["checkpoint", "adapter", "text", "projector", "drafter", "imatrix", "modelfile", "onnx"]

# The first that matches counts; names of GGUF and of Hugging Face alike.
_PARTS = (
    (r"(^|\.)(v|mm)\.(?!a\.)|vision", "vision"),
    (r"(^|\.)a\.|^mm\.a\.|audio", "audio"),
    (r"per_layer_token_embd|embed_tokens_per_layer", "per-layer embeddings"),
    (r"token_embd|embed_tokens", "token embeddings"),
    (r"^output\.weight|lm_head", "output"),
    (r"norm|layer_scalar|layer_output_scale|rope_freqs|scale$", "norms and scales"),
    (r"_exps|experts|router|ffn_gate_inp", "experts"),
    (r"attn_|self_attn\.", "attention"),
    (r"ffn_|mlp\.", "feed-forward"),
    (r"per_layer|inp_gate|\.proj\.", "per-layer projections"),
)


@dataclass(frozen=True)
class TensorGroup:
    """Tensors of one part of a model that have the same type."""

    part: str
    type: str
    count: int
    parameters: int
    bytes: int


@dataclass(frozen=True)
class Report:
    """A file or a folder; what does not apply to its kind is None or empty."""

    path: Path
    kind: Kind
    bytes: int
    architecture: str | None = None
    # Which of Gemma 4's variants has this shape.
    variant: str | None = None
    name: str | None = None
    parameters: int = 0
    quantization: str | None = None
    # Tokens.
    context: int | None = None
    # none, old, current or own.
    template: str | None = None
    # What it was made from, as it says itself.
    base: str | None = None
    adapters: list[str] = field(default_factory=list)
    tensors: list[TensorGroup] = field(default_factory=list)
    # What only this kind has, by its usual name.
    details: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def part(name: str) -> str:
    """Return which part of a model a tensor belongs to."""
    return next((part for pattern, part in _PARTS if re.search(pattern, name)), "other")


def groups(tensors: Iterable[tuple[str, str, int, int]]) -> list[TensorGroup]:
    """Sum up tensors, given as name, type, parameters and bytes; the largest group comes first."""
    sums: dict[tuple[str, str], tuple[int, int, int]] = {}
    for name, type, parameters, size in tensors:
        count, before, sizes = sums.get((part(name), type), (0, 0, 0))
        sums[part(name), type] = (count + 1, before + parameters, sizes + size)
    made = [TensorGroup(*key, *values) for key, values in sums.items()]
    return sorted(made, key=lambda group: -group.bytes)


def variant_name(width: object, layers: object = None) -> str | None:
    """Return the variant whose text model is so wide and, if given, so deep; a projector only knows the width."""
    shapes = ((one.name, one.shape) for one in variants())
    return next(
        (name for name, shape in shapes if shape.hidden_size == width and layers in (None, shape.num_hidden_layers)),
        None,
    )
