"""The shapes that config.json promises, so that a config of another size is noticed before anything is written."""

from __future__ import annotations

import re

from edgekit.convert.gemma4.config import TextConfig

_LAYER = re.compile(r"blk\.(\d+)\.(\w+)\.weight")


def expected_shape(name: str, config: TextConfig) -> tuple[int, ...] | None:
    """Return the shape of a matrix of the language model by its GGUF name, rows first; None for other tensors."""
    match = _LAYER.fullmatch(name)
    if match:
        return _of_layer(int(match[1]), config).get(match[2])
    stacked = config.layers * config.per_layer_input
    return {"per_layer_model_proj.weight": (stacked, config.hidden_size)}.get(name)


def expected_width(name: str, config: TextConfig) -> int | None:
    """Return the length of a row of an embedding table; how many rows it has, the vocabulary decides."""
    stacked = config.layers * config.per_layer_input
    return {"token_embd.weight": config.hidden_size, "per_layer_token_embd.weight": stacked}.get(name)


def _of_layer(layer: int, config: TextConfig) -> dict[str, tuple[int, ...]]:
    sliding = config.sliding[layer]
    head = config.head_dim if sliding else config.global_head_dim
    kv_heads = config.kv_heads if sliding else config.global_kv_heads or config.kv_heads
    inner = config.intermediate_size * (2 if config.double_wide_mlp and config.shares_kv(layer) else 1)
    return {
        "attn_q": (config.heads * head, config.hidden_size),
        "attn_k": (kv_heads * head, config.hidden_size),
        "attn_v": (kv_heads * head, config.hidden_size),
        "attn_output": (config.hidden_size, config.heads * head),
        "ffn_gate": (inner, config.hidden_size),
        "ffn_up": (inner, config.hidden_size),
        "ffn_down": (config.hidden_size, inner),
        "inp_gate": (config.per_layer_input, config.hidden_size),
        "proj": (config.hidden_size, config.per_layer_input),
    }
