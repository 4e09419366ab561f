"""The tensors of a Gemma 4 text model in GGUF, by shape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import prod

from edgekit.catalog.mixture import is_quantizable, types
from edgekit.catalog.quantization import row_bytes
from edgekit.catalog.recipe import Candidate, Recipe, Structure
from edgekit.catalog.variant import Shape


@dataclass(frozen=True)
class Tensor:
    """A tensor's role (`ffn_down`, `token_embd`) and its extents, ggml's order: the row length first."""

    role: str
    extents: tuple[int, ...]
    # None outside the layers.
    layer: int | None = None
    suffix: str = "weight"

    # Kept: `edgekit pick` asks for both again for every quantization.
    @cached_property
    def name(self) -> str:
        """Return the name in GGUF: `blk.0.ffn_down.weight`."""
        place = "" if self.layer is None else f"blk.{self.layer}."
        return f"{place}{self.role}.{self.suffix}"

    @cached_property
    def count(self) -> int:
        """Return the number of values."""
        return prod(self.extents)


@lru_cache(maxsize=16)
def tensors(shape: Shape) -> tuple[Tensor, ...]:
    """Return every tensor that llama.cpp's converter writes for a shape."""
    layers = range(shape.num_hidden_layers)
    return (
        *(Tensor(role, extents) for role, extents in _outside(shape)),
        *(Tensor(role, extents, layer) for layer in layers for role, extents in _layer(shape, layer)),
        *(tensor for layer in layers for tensor in _scales(shape, layer)),
    )


def _outside(shape: Shape) -> Iterator[tuple[str, tuple[int, ...]]]:
    hidden, ple = shape.hidden_size, shape.hidden_size_per_layer_input
    yield "token_embd", (hidden, shape.vocab_size)
    if ple:
        yield "per_layer_token_embd", (ple * shape.num_hidden_layers, shape.vocab_size)
        yield "per_layer_model_proj", (hidden, ple * shape.num_hidden_layers)
        yield "per_layer_proj_norm", (ple,)
    yield "output_norm", (hidden,)
    yield "rope_freqs", (shape.global_head_dim // 2,)


def _layer(shape: Shape, layer: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    hidden, width = shape.hidden_size, shape.head_width(layer)
    queries, keys = shape.num_attention_heads * width, shape.cache_width(layer)
    feed_forward, ple = shape.feed_forward_width(layer), shape.hidden_size_per_layer_input
    yield "attn_q", (hidden, queries)
    yield "attn_k", (hidden, keys)
    # Global layers of the larger variants use the keys as values.
    if shape.is_sliding(layer) or not shape.attention_k_eq_v:
        yield "attn_v", (hidden, keys)
    yield "attn_output", (queries, hidden)
    yield "attn_q_norm", (width,)
    yield "attn_k_norm", (width,)
    for norm in ("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"):
        yield norm, (hidden,)
    yield "layer_output_scale", (1,)
    yield "ffn_gate", (hidden, feed_forward)
    yield "ffn_up", (hidden, feed_forward)
    yield "ffn_down", (feed_forward, hidden)
    if ple:
        yield "inp_gate", (hidden, ple)
        yield "proj", (ple, hidden)
        yield "post_norm", (hidden,)
    if shape.num_experts:
        yield from _experts(hidden, shape.num_experts, shape.moe_intermediate_size)


def _experts(hidden: int, experts: int, width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "ffn_gate_inp", (hidden, experts)
    for norm in ("pre_ffw_norm_2", "post_ffw_norm_1", "post_ffw_norm_2"):
        yield norm, (hidden,)
    yield "ffn_gate_up_exps", (hidden, 2 * width, experts)
    yield "ffn_down_exps", (width, hidden, experts)


def _scales(shape: Shape, layer: int) -> Iterator[Tensor]:
    if shape.num_experts:
        yield Tensor("ffn_gate_inp", (shape.hidden_size,), layer, "scale")
        yield Tensor("ffn_down_exps", (shape.num_experts,), layer, "scale")


def tensor_bytes(kind: str, tensor: Tensor) -> int:
    """Return the bytes of a tensor stored as `kind`."""
    return row_bytes(kind, tensor.count)


@lru_cache(maxsize=64)
def with_types(shape: Shape, quantization: str, *, has_importance: bool = False) -> tuple[tuple[Tensor, str], ...]:
    """Return every tensor with the type that llama-quantize would store it in."""
    found = tensors(shape)
    heads_per_key = shape.num_attention_heads * shape.head_width(0) // shape.cache_width(0)
    model = Structure(shape.num_hidden_layers, heads_per_key, shape.num_experts)
    # Norms and scales, most of the tensors, stay as they are whatever the quantization.
    chosen = types(Recipe(quantization, has_importance), model, _quantizable(shape))
    return tuple(
        (tensor, chosen.get(one.name, one.kind)) for tensor, one in zip(found, _candidates(shape), strict=True)
    )


@lru_cache(maxsize=16)
def _candidates(shape: Shape) -> tuple[Candidate, ...]:
    return tuple(Candidate(tensor.name, tensor.extents, _converted(tensor)) for tensor in tensors(shape))


@lru_cache(maxsize=16)
def _quantizable(shape: Shape) -> tuple[Candidate, ...]:
    return tuple(one for one in _candidates(shape) if is_quantizable(one))


def _converted(tensor: Tensor) -> str:
    # llama.cpp's converter writes routers, norms and scales as F32 and keeps the released BF16 of the others.
    return "BF16" if len(tensor.extents) > 1 and tensor.role != "ffn_gate_inp" else "F32"
