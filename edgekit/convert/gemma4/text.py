"""The language model: names and metadata of llama.cpp's `gemma4` and `gemma4-assistant` architectures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from gguf import GGUFValueType, Keys

from edgekit.convert import keys
from edgekit.convert.checkpoint import Weight
from edgekit.convert.gemma4.config import TextConfig
from edgekit.convert.names import HEAD
from edgekit.convert.plan import TensorPlan
from edgekit.convert.tables import Expected, Part, Row, Sizes, expect, expect_layer
from edgekit.convert.text_rows import LAYER_ROWS, MODEL_ROWS, OF_KV
from edgekit.errors import UnsupportedError

_ROWS = {
    **MODEL_ROWS,
    # A drafter's way from the states of the model it drafts for, and back to them.
    "pre_projection.weight": Row("nextn.pre_projection.weight", "hidden backbones"),
    "post_projection.weight": Row("nextn.post_projection.weight", "backbone hidden"),
}
_LAYER_ROWS = {
    **LAYER_ROWS,
    "post_per_layer_input_norm.weight": Row("post_norm.weight", "per_layer_hidden"),
    "layer_scalar": Row("layer_output_scale.weight", "one"),
    "router.proj.weight": Row("ffn_gate_inp.weight", "experts hidden"),
    "router.scale": Row("ffn_gate_inp.scale", "expert_hidden"),
    "router.per_expert_scale": Row("ffn_down_exps.scale", "experts"),
    "experts.gate_up_proj": Row("ffn_gate_up_exps.weight", "experts expert_inners hidden"),
    "experts.down_proj": Row("ffn_down_exps.weight", "experts hidden expert_inner"),
    "post_feedforward_layernorm_1.weight": Row("post_ffw_norm_1.weight", "expert_hidden"),
    "post_feedforward_layernorm_2.weight": Row("post_ffw_norm_2.weight", "expert_hidden"),
    "pre_feedforward_layernorm_2.weight": Row("pre_ffw_norm_2.weight", "expert_hidden"),
}
# Tables with a row for each token: llama.cpp wants no more of them than there are tokens.
_BY_TOKEN = ("token_embd.weight", "output.weight", "per_layer_token_embd.weight")
# Not rotated: a frequency so long that the angle is zero (llama.cpp divides by this factor).
_NO_ROTATION = 1e30


def part(weights: Iterable[Weight], config: TextConfig) -> Part:
    """Return the language model's tensors as llama.cpp has them."""
    return Part(_expected(config), weights, architecture(config))


def plans(made: Part, config: TextConfig, token_count: int) -> list[TensorPlan]:
    """Return what is written: a part's tensors and the factors of rotation, no more embeddings than tokens."""
    factors = _rope_factors(config)
    return [TensorPlan("rope_freqs.weight", factors.shape, values=factors)] + [
        replace(plan, shape=(min(plan.height, token_count), *plan.shape[1:])) if plan.name in _BY_TOKEN else plan
        for plan in made.plans
    ]


def architecture(config: TextConfig) -> str:
    """Return what llama.cpp calls the architecture."""
    return "gemma4" if config.backbone_size is None else "gemma4-assistant"


def unused_kv(config: TextConfig) -> Iterator[str]:
    """Yield the plain names of the matrices that no output uses, whether they exist or not."""
    for layer in range(config.layers):
        if config.shares_kv(layer):
            yield from (f"layers.{layer}.self_attn.{part}_proj.weight" for part in "kv")


def _expected(config: TextConfig) -> dict[str, Expected]:
    hidden, stacked = config.hidden_size, config.layers * config.per_layer_input
    sizes = {"hidden": hidden}
    if config.per_layer_input:
        sizes |= {"stacked": stacked, "per_layer": config.per_layer_input}
    if config.backbone_size is not None:
        sizes |= {"backbone": config.backbone_size, "backbones": 2 * config.backbone_size}
    found = expect(_ROWS, sizes, (HEAD,))
    for layer in range(config.layers):
        optional = OF_KV if config.shares_kv(layer) else ()
        if config.attention.keys_as_values and not config.attention.sliding[layer]:
            optional = (*optional, "self_attn.v_proj.weight")
        found |= expect_layer(_LAYER_ROWS, f"layers.{layer}.", f"blk.{layer}.", _layer_sizes(layer, config), optional)
    return found


def _layer_sizes(layer: int, config: TextConfig) -> Sizes:
    attention, hidden = config.attention, config.hidden_size
    sizes = {
        "hidden": hidden,
        "head": attention.head(layer),
        "query": config.heads * attention.head(layer),
        "inner": config.feed_forward(layer),
    }
    if config.backbone_size is None:
        sizes |= {"kv": attention.kv_width(layer)}
    if config.per_layer_input:
        sizes |= {"per_layer": config.per_layer_input, "per_layer_hidden": hidden}
    if config.experts:
        inner = config.experts.intermediate_size
        sizes |= {"experts": config.experts.count, "expert_hidden": hidden}
        sizes |= {"expert_inner": inner, "expert_inners": 2 * inner}
    return sizes


def _rope_factors(config: TextConfig) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    # Global layers rotate the first part of each half of a head; llama.cpp is told so by these factors.
    head = config.attention.global_head_dim
    factors = np.full(head // 2, _NO_ROTATION, np.float32)
    factors[: int(head * config.attention.rotary_factor / 2)] = 1.0
    return factors


def metadata(config: TextConfig) -> dict[str, keys.Value]:
    """Return the keys that tell llama.cpp the model's shape; UnsupportedError for one that it would abort over."""
    attention = config.attention
    if config.backbone_size is None:
        _check_sources(config)
    made = {
        Keys.LLM.BLOCK_COUNT: keys.u32(config.layers),
        Keys.LLM.CONTEXT_LENGTH: keys.u32(config.context),
        Keys.LLM.EMBEDDING_LENGTH: keys.u32(config.hidden_size),
        Keys.LLM.FEED_FORWARD_LENGTH: _feed_forward(config),
        Keys.Attention.HEAD_COUNT: keys.u32(config.heads),
        Keys.Attention.HEAD_COUNT_KV: _kv_heads(config),
        Keys.Rope.FREQ_BASE: keys.f32(attention.rope_theta),
        Keys.Rope.FREQ_BASE_SWA: keys.f32(attention.rope_theta_sliding),
        Keys.Attention.LAYERNORM_RMS_EPS: keys.f32(config.rms_norm_eps),
        Keys.Attention.KEY_LENGTH: keys.u32(attention.global_head_dim),
        Keys.Attention.VALUE_LENGTH: keys.u32(attention.global_head_dim),
        Keys.Attention.KEY_LENGTH_SWA: keys.u32(attention.head_dim),
        Keys.Attention.VALUE_LENGTH_SWA: keys.u32(attention.head_dim),
        Keys.Rope.DIMENSION_COUNT: keys.u32(attention.global_head_dim),
        Keys.Rope.DIMENSION_COUNT_SWA: keys.u32(attention.head_dim),
        Keys.Attention.SLIDING_WINDOW: keys.u32(config.window),
        Keys.Attention.SLIDING_WINDOW_PATTERN: keys.array(GGUFValueType.BOOL, attention.sliding),
        Keys.Attention.SHARED_KV_LAYERS: keys.u32(attention.kv_shared),
        Keys.LLM.EMBD_LENGTH_PER_LAYER_INP: keys.u32(config.per_layer_input),
    }
    if config.logit_softcap is not None:
        made[Keys.LLM.FINAL_LOGIT_SOFTCAPPING] = keys.f32(config.logit_softcap)
    if config.experts:
        made[Keys.LLM.EXPERT_COUNT] = keys.u32(config.experts.count)
        made[Keys.LLM.EXPERT_USED_COUNT] = keys.u32(config.experts.used)
        made[Keys.LLM.EXPERT_FEED_FORWARD_LENGTH] = keys.u32(config.experts.intermediate_size)
    if config.backbone_size is not None:
        made[Keys.LLM.EMBEDDING_LENGTH_OUT] = keys.u32(config.backbone_size)
        made[Keys.LLM.NEXTN_PREDICT_LAYERS] = keys.u32(config.layers)
    return {key.format(arch=architecture(config)): value for key, value in made.items()}


def _check_sources(config: TextConfig) -> None:
    """Raise UnsupportedError where a shared layer's keys are not those that llama.cpp takes for it.

    transformers takes the last own layer of its kind, llama.cpp (llama-model.cpp, n_layer_kv_from_start) the last own
    layer for global ones, and the one before for those with a window.
    """
    own, sliding = config.own_kv_layers, config.attention.sliding
    for kind in set(sliding[own:]):
        given = own - (2 if kind else 1)
        if given < 0 or sliding[given] != kind or kind in sliding[given + 1 : own]:
            raise UnsupportedError(
                f"{config.attention.kv_shared} layers share keys and values, and the last two before them are not one "
                "with a window and one without: llama.cpp's Gemma 4 cannot; --to onnx can"
            )


def _feed_forward(config: TextConfig) -> keys.Value:
    if not config.double_wide_mlp:
        return keys.u32(config.intermediate_size)
    return keys.array(GGUFValueType.INT32, [config.feed_forward(layer) for layer in range(config.layers)])


def _kv_heads(config: TextConfig) -> keys.Value:
    attention = config.attention
    if attention.global_kv_heads is None:
        return keys.u32(attention.kv_heads)
    heads = [attention.kv_heads if sliding else attention.global_kv_heads for sliding in attention.sliding]
    return keys.array(GGUFValueType.INT32, heads)
