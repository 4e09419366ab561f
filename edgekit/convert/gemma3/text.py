"""The language model: names and metadata of llama.cpp's `gemma3` architecture."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from gguf import Keys

from edgekit.convert import keys
from edgekit.convert.gemma3.config import TextConfig
from edgekit.convert.names import EMBEDDINGS, HEAD
from edgekit.convert.safetensors import Floats
from edgekit.convert.tables import Expected, Row, expect, expect_layer

ARCHITECTURE = "gemma3"


def plus_one(values: Floats) -> Floats:
    """Return the factor of a Gemma 3 norm, which is kept as its distance from one."""
    return values + np.float32(1)


def _norm(name: str, shape: str = "hidden") -> Row:
    return Row(name, shape, transform=plus_one)


_ROWS = {
    EMBEDDINGS: Row("token_embd.weight", "* hidden"),
    # Only where a checkpoint has an output matrix of its own.
    HEAD: Row("output.weight", "* hidden"),
    "norm.weight": _norm("output_norm.weight"),
}
_LAYER_ROWS = {
    "input_layernorm.weight": _norm("attn_norm.weight"),
    "self_attn.q_proj.weight": Row("attn_q.weight", "query hidden"),
    "self_attn.k_proj.weight": Row("attn_k.weight", "kv hidden"),
    "self_attn.v_proj.weight": Row("attn_v.weight", "kv hidden"),
    "self_attn.o_proj.weight": Row("attn_output.weight", "hidden query"),
    "self_attn.q_norm.weight": _norm("attn_q_norm.weight", "head"),
    "self_attn.k_norm.weight": _norm("attn_k_norm.weight", "head"),
    "post_attention_layernorm.weight": _norm("post_attention_norm.weight"),
    "pre_feedforward_layernorm.weight": _norm("ffn_norm.weight"),
    "mlp.gate_proj.weight": Row("ffn_gate.weight", "inner hidden"),
    "mlp.up_proj.weight": Row("ffn_up.weight", "inner hidden"),
    "mlp.down_proj.weight": Row("ffn_down.weight", "hidden inner"),
    "post_feedforward_layernorm.weight": _norm("post_ffw_norm.weight"),
}


def expected(config: TextConfig) -> dict[str, Expected]:
    """Return the tensors of the language model by their plain names."""
    sizes = {
        "hidden": config.hidden_size,
        "inner": config.intermediate_size,
        "head": config.head_dim,
        "query": config.heads * config.head_dim,
        "kv": config.kv_heads * config.head_dim,
    }
    found = expect(_ROWS, sizes, (HEAD,))
    for layer in range(config.layers):
        found |= expect_layer(_LAYER_ROWS, f"layers.{layer}.", f"blk.{layer}.", sizes)
    return found


def metadata(config: TextConfig) -> Mapping[str, keys.Value]:
    """Return the keys that tell llama.cpp the model's shape."""
    made = {
        Keys.LLM.BLOCK_COUNT: keys.u32(config.layers),
        Keys.LLM.CONTEXT_LENGTH: keys.u32(config.context),
        Keys.LLM.EMBEDDING_LENGTH: keys.u32(config.hidden_size),
        Keys.LLM.FEED_FORWARD_LENGTH: keys.u32(config.intermediate_size),
        Keys.Attention.HEAD_COUNT: keys.u32(config.heads),
        Keys.Attention.HEAD_COUNT_KV: keys.u32(config.kv_heads),
        Keys.Attention.KEY_LENGTH: keys.u32(config.head_dim),
        Keys.Attention.VALUE_LENGTH: keys.u32(config.head_dim),
        Keys.Attention.LAYERNORM_RMS_EPS: keys.f32(config.rms_norm_eps),
        Keys.Rope.FREQ_BASE: keys.f32(config.rope_theta),
        Keys.Rope.FREQ_BASE_SWA: keys.f32(config.rope_theta_sliding),
    }
    if config.window is not None:
        made[Keys.Attention.SLIDING_WINDOW] = keys.u32(config.window)
    if config.rope_factor is not None:
        made[Keys.Rope.SCALING_TYPE] = keys.text("linear")
        made[Keys.Rope.SCALING_FACTOR] = keys.f32(config.rope_factor)
    if config.logit_softcap is not None:
        made[Keys.LLM.FINAL_LOGIT_SOFTCAPPING] = keys.f32(config.logit_softcap)
    return {key.format(arch=ARCHITECTURE): value for key, value in made.items()}
