"""The language model: names and metadata of llama.cpp's `gemma4` architecture."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import numpy as np
from gguf import GGUFValueType, Keys

from edgekit.convert import keys
from edgekit.convert.checkpoint import Weight
from edgekit.convert.gemma4.config import TextConfig
from edgekit.convert.gemma4.shapes import expected_shape, expected_width
from edgekit.convert.plan import TensorPlan
from edgekit.errors import FileError, UnsupportedError

PREFIX = "model.language_model."
ARCHITECTURE = "gemma4"

_NAMES = {
    "embed_tokens.weight": "token_embd.weight",
    "embed_tokens_per_layer.weight": "per_layer_token_embd.weight",
    "per_layer_model_projection.weight": "per_layer_model_proj.weight",
    "per_layer_projection_norm.weight": "per_layer_proj_norm.weight",
    "norm.weight": "output_norm.weight",
}
_LAYER_NAMES = {
    "input_layernorm.weight": "attn_norm.weight",
    "self_attn.q_proj.weight": "attn_q.weight",
    "self_attn.k_proj.weight": "attn_k.weight",
    "self_attn.v_proj.weight": "attn_v.weight",
    "self_attn.o_proj.weight": "attn_output.weight",
    "self_attn.q_norm.weight": "attn_q_norm.weight",
    "self_attn.k_norm.weight": "attn_k_norm.weight",
    "post_attention_layernorm.weight": "post_attention_norm.weight",
    "pre_feedforward_layernorm.weight": "ffn_norm.weight",
    "mlp.gate_proj.weight": "ffn_gate.weight",
    "mlp.up_proj.weight": "ffn_up.weight",
    "mlp.down_proj.weight": "ffn_down.weight",
    "post_feedforward_layernorm.weight": "post_ffw_norm.weight",
    "per_layer_input_gate.weight": "inp_gate.weight",
    "per_layer_projection.weight": "proj.weight",
    "post_per_layer_input_norm.weight": "post_norm.weight",
    "layer_scalar": "layer_output_scale.weight",
}
# Written only where a checkpoint has an output matrix of its own.
_OUTPUT = "lm_head.weight"
_LAYER = re.compile(r"layers\.(\d+)\.(.+)")
# Not rotated: a frequency so long that the angle is zero (llama.cpp divides by this factor).
_NO_ROTATION = 1e30


def is_text(name: str) -> bool:
    """Say whether a tensor of the checkpoint belongs to the language model."""
    return name.startswith(PREFIX) or name == _OUTPUT


def plans(weights: Iterable[Weight], config: TextConfig, token_count: int) -> Iterator[TensorPlan]:
    """Yield the language model's tensors; raises FileError where one is missing or of another shape."""
    yield TensorPlan("rope_freqs.weight", (config.global_head_dim // 2,), values=_rope_factors(config))
    found = set()
    for weight in weights:
        name = _gguf_name(weight.name, config)
        found.add(name)
        _check_shape(weight, name, config)
        shape = weight.shape or (1,)
        if name == "token_embd.weight":
            # llama.cpp wants no more rows than there are tokens.
            shape = (min(shape[0], token_count), *shape[1:])
        yield TensorPlan(name, shape, weight)
    _check_complete(found, config)


def _gguf_name(name: str, config: TextConfig) -> str:
    if name == _OUTPUT:
        return "output.weight"
    inner = name.removeprefix(PREFIX)
    match = _LAYER.fullmatch(inner)
    if match and int(match[1]) < config.layers and match[2] in _LAYER_NAMES:
        return f"blk.{int(match[1])}.{_LAYER_NAMES[match[2]]}"
    if inner in _NAMES:
        return _NAMES[inner]
    raise UnsupportedError(f"the checkpoint's {name} has no place in llama.cpp's gemma4: is it another model's?")


def _check_shape(weight: Weight, name: str, config: TextConfig) -> None:
    shape = expected_shape(name, config)
    width = expected_width(name, config)
    if (shape and weight.shape != shape) or (width and weight.shape[1:] != (width,)):
        promised = list(shape) if shape else f"rows of {width}"
        raise FileError(
            f"config.json belongs to another model: by it {weight.name} would have {promised}, "
            f"it has {list(weight.shape)}; download both again"
        )


def _check_complete(found: set[str], config: TextConfig) -> None:
    expected = set(_NAMES.values())
    for layer in range(config.layers):
        # transformers 5 leaves out what a layer that shares keys and values does not use; the releases keep it.
        unused = {"attn_k.weight", "attn_v.weight", "attn_k_norm.weight"} if config.shares_kv(layer) else set()
        expected |= {f"blk.{layer}.{name}" for name in set(_LAYER_NAMES.values()) - unused}
    missing = sorted(expected - found)
    if missing:
        raise FileError(f"the checkpoint has no tensor for {missing[0]}: download the whole checkpoint again")


def _rope_factors(config: TextConfig) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    # Global layers rotate the first part of each half of a head; llama.cpp is told so by these factors.
    half = config.global_head_dim // 2
    factors = np.full(half, _NO_ROTATION, np.float32)
    factors[: int(config.global_head_dim * config.rotary_factor / 2)] = 1.0
    return factors


def metadata(config: TextConfig) -> dict[str, keys.Value]:
    """Return the keys that tell llama.cpp the model's shape."""
    made = {
        Keys.LLM.BLOCK_COUNT: keys.u32(config.layers),
        Keys.LLM.CONTEXT_LENGTH: keys.u32(config.context),
        Keys.LLM.EMBEDDING_LENGTH: keys.u32(config.hidden_size),
        Keys.LLM.FEED_FORWARD_LENGTH: _feed_forward(config),
        Keys.Attention.HEAD_COUNT: keys.u32(config.heads),
        Keys.Attention.HEAD_COUNT_KV: _kv_heads(config),
        Keys.Rope.FREQ_BASE: keys.f32(config.rope_theta),
        Keys.Rope.FREQ_BASE_SWA: keys.f32(config.rope_theta_sliding),
        Keys.Attention.LAYERNORM_RMS_EPS: keys.f32(config.rms_norm_eps),
        Keys.Attention.KEY_LENGTH: keys.u32(config.global_head_dim),
        Keys.Attention.VALUE_LENGTH: keys.u32(config.global_head_dim),
        Keys.Attention.KEY_LENGTH_SWA: keys.u32(config.head_dim),
        Keys.Attention.VALUE_LENGTH_SWA: keys.u32(config.head_dim),
        Keys.Rope.DIMENSION_COUNT: keys.u32(config.global_head_dim),
        Keys.Rope.DIMENSION_COUNT_SWA: keys.u32(config.head_dim),
        Keys.Attention.SLIDING_WINDOW: keys.u32(config.window),
        Keys.Attention.SLIDING_WINDOW_PATTERN: keys.array(GGUFValueType.BOOL, config.sliding),
        Keys.Attention.SHARED_KV_LAYERS: keys.u32(config.kv_shared_layers),
        Keys.LLM.EMBD_LENGTH_PER_LAYER_INP: keys.u32(config.per_layer_input),
    }
    if config.logit_softcap is not None:
        made[Keys.LLM.FINAL_LOGIT_SOFTCAPPING] = keys.f32(config.logit_softcap)
    return {key.format(arch=ARCHITECTURE): value for key, value in made.items()}


def _feed_forward(config: TextConfig) -> keys.Value:
    if not config.double_wide_mlp:
        return keys.u32(config.intermediate_size)
    widths = [config.intermediate_size * (2 if config.shares_kv(layer) else 1) for layer in range(config.layers)]
    return keys.array(GGUFValueType.INT32, widths)


def _kv_heads(config: TextConfig) -> keys.Value:
    if config.global_kv_heads is None:
        return keys.u32(config.kv_heads)
    heads = [config.kv_heads if sliding else config.global_kv_heads for sliding in config.sliding]
    return keys.array(GGUFValueType.INT32, heads)
