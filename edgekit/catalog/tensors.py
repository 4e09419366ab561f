"""The tensors of a Gemma 4 text model in GGUF, by shape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from edgekit.catalog.variant import Shape


@dataclass(frozen=True)
class Tensor:
    """A tensor's name and its extents, ggml's order: the row length first."""

    name: str
    extents: tuple[int, ...]
    # None outside the layers.
    layer: int | None = None

    @property
    def count(self) -> int:
        """Return the number of values."""
        return prod(self.extents)

    @property
    def role(self) -> str:
        """Return the name without its layer and its suffix: `ffn_down`, `token_embd`."""
        return self.name.removesuffix(".weight").rpartition(".")[2]


def tensors(shape: Shape) -> Iterator[Tensor]:
    """Yield every tensor that llama.cpp's converter writes for a shape."""
    hidden, layers, ple = shape.hidden_size, shape.num_hidden_layers, shape.hidden_size_per_layer_input
    yield Tensor("token_embd.weight", (hidden, shape.vocab_size))
    if ple:
        yield Tensor("per_layer_token_embd.weight", (ple * layers, shape.vocab_size))
        yield Tensor("per_layer_model_proj.weight", (hidden, ple * layers))
        yield Tensor("per_layer_proj_norm.weight", (ple,))
    yield Tensor("output_norm.weight", (hidden,))
    yield Tensor("rope_freqs.weight", (shape.global_head_dim // 2,))
    for layer in range(layers):
        for role, extents in _layer(shape, layer):
            yield Tensor(f"blk.{layer}.{role}", extents, layer)


def _layer(shape: Shape, layer: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    hidden, width = shape.hidden_size, shape.head_width(layer)
    queries, keys = shape.num_attention_heads * width, shape.cache_width(layer)
    feed_forward, ple = shape.feed_forward_width(layer), shape.hidden_size_per_layer_input
    yield "attn_q.weight", (hidden, queries)
    yield "attn_k.weight", (hidden, keys)
    # Global layers of the larger variants use the keys as values.
    if shape.is_sliding(layer) or not shape.attention_k_eq_v:
        yield "attn_v.weight", (hidden, keys)
    yield "attn_output.weight", (queries, hidden)
    yield "attn_q_norm.weight", (width,)
    yield "attn_k_norm.weight", (width,)
    for norm in ("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"):
        yield f"{norm}.weight", (hidden,)
    yield "layer_output_scale.weight", (1,)
    yield "ffn_gate.weight", (hidden, feed_forward)
    yield "ffn_up.weight", (hidden, feed_forward)
    yield "ffn_down.weight", (feed_forward, hidden)
    if ple:
        yield "inp_gate.weight", (hidden, ple)
        yield "proj.weight", (ple, hidden)
        yield "post_norm.weight", (hidden,)
    if shape.num_experts:
        yield from _experts(hidden, shape.num_experts, shape.moe_intermediate_size)


def _experts(hidden: int, experts: int, width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "ffn_gate_inp.weight", (hidden, experts)
    yield "ffn_gate_inp.scale", (hidden,)
    for norm in ("pre_ffw_norm_2", "post_ffw_norm_1", "post_ffw_norm_2"):
        yield f"{norm}.weight", (hidden,)
    yield "ffn_gate_up_exps.weight", (hidden, 2 * width, experts)
    yield "ffn_down_exps.weight", (width, hidden, experts)
    yield "ffn_down_exps.scale", (experts,)
