"""The language model: names and metadata of llama.cpp's `gemma3n` architecture."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import NormalDist

import numpy as np
from gguf import GGUFValueType, Keys

from edgekit.convert import keys
from edgekit.convert.gemma3n.config import TextConfig
from edgekit.convert.names import HEAD
from edgekit.convert.tables import Expected, Row, expect, expect_layer
from edgekit.convert.text_rows import LAYER_ROWS, MODEL_ROWS, OF_KV

ARCHITECTURE = "gemma3n"
# Matrices that stand one by one in a checkpoint and in one tensor in GGUF, in the order of their numbers.
STACKS = {"altup_projections.": "altup_proj.weight", "altup_unembed_projections.": "altup_unembd_proj.weight"}

_LAYER_ROWS = {
    **LAYER_ROWS,
    "post_per_layer_input_norm.weight": Row("post_norm.weight", "hidden"),
    "altup.correct_output_scale": Row("altup_correct_scale.weight", "hidden"),
    "altup.correction_coefs.weight": Row("altup_correct_coef.weight", "inputs inputs"),
    "altup.prediction_coefs.weight": Row("altup_predict_coef.weight", "predictions inputs"),
    "altup.modality_router.weight": Row("altup_router.weight", "inputs hidden"),
    "altup.router_norm.weight": Row("altup_router_norm.weight", "hidden"),
    "laurel.linear_left.weight": Row("laurel_l.weight", "rank hidden"),
    "laurel.linear_right.weight": Row("laurel_r.weight", "hidden rank"),
    "laurel.post_laurel_norm.weight": Row("laurel_post_norm.weight", "hidden"),
}


def expected(config: TextConfig) -> dict[str, Expected]:
    """Return the tensors of the language model by their plain names."""
    sizes = {
        "hidden": config.hidden_size,
        "head": config.head_dim,
        "query": config.heads * config.head_dim,
        "kv": config.kv_heads * config.head_dim,
        "per_layer": config.per_layer_input,
        "stacked": config.layers * config.per_layer_input,
        "inputs": config.altup_inputs,
        "predictions": config.altup_inputs**2,
        "rank": config.laurel_rank,
    }
    stacks = {
        f"{stem}{number}.weight": Row(name, "hidden hidden")
        for stem, name in STACKS.items()
        for number in range(config.altup_inputs - 1)
    }
    found = expect({**MODEL_ROWS, **stacks}, sizes, (HEAD,))
    for layer, inner in enumerate(config.intermediate_sizes):
        of_layer = sizes | {"inner": inner}
        optional = OF_KV if config.shares_kv(layer) else ()
        found |= expect_layer(_LAYER_ROWS, f"layers.{layer}.", f"blk.{layer}.", of_layer, optional)
    return found


def unused_kv(config: TextConfig) -> Iterator[str]:
    """Yield the plain names of the matrices that no output uses, whether they exist or not."""
    for layer in range(config.layers):
        if config.shares_kv(layer):
            yield from (f"layers.{layer}.self_attn.{part}_proj.weight" for part in "kv")


def metadata(config: TextConfig) -> dict[str, keys.Value]:
    """Return the keys that tell llama.cpp the model's shape."""
    made = {
        Keys.LLM.BLOCK_COUNT: keys.u32(config.layers),
        Keys.LLM.CONTEXT_LENGTH: keys.u32(config.context),
        Keys.LLM.EMBEDDING_LENGTH: keys.u32(config.hidden_size),
        Keys.LLM.FEED_FORWARD_LENGTH: keys.array(GGUFValueType.INT32, config.intermediate_sizes),
        Keys.LLM.EMBD_LENGTH_PER_LAYER_INP: keys.u32(config.per_layer_input),
        Keys.LLM.ALTUP_ACTIVE_IDX: keys.u32(config.altup_active),
        Keys.LLM.ALTUP_NUM_INPUTS: keys.u32(config.altup_inputs),
        Keys.LLM.ACTIVATION_SPARSITY_SCALE: keys.array(GGUFValueType.FLOAT32, [*map(_scale, config.sparsity)]),
        Keys.Attention.HEAD_COUNT: keys.u32(config.heads),
        Keys.Attention.HEAD_COUNT_KV: keys.u32(config.kv_heads),
        Keys.Attention.KEY_LENGTH: keys.u32(config.head_dim),
        Keys.Attention.VALUE_LENGTH: keys.u32(config.head_dim),
        Keys.Attention.LAYERNORM_RMS_EPS: keys.f32(config.rms_norm_eps),
        Keys.Attention.SLIDING_WINDOW: keys.u32(config.window),
        Keys.Attention.SLIDING_WINDOW_PATTERN: keys.array(GGUFValueType.BOOL, config.sliding),
        Keys.Attention.SHARED_KV_LAYERS: keys.u32(config.kv_shared),
        Keys.Rope.FREQ_BASE: keys.f32(config.rope_theta),
        Keys.Rope.FREQ_BASE_SWA: keys.f32(config.rope_theta_sliding),
    }
    if config.logit_softcap is not None:
        made[Keys.LLM.FINAL_LOGIT_SOFTCAPPING] = keys.f32(config.logit_softcap)
    return {key.format(arch=ARCHITECTURE): value for key, value in made.items()}


def _scale(share: float) -> float:
    """Return how many deviations above the mean a share of normal values ends, rounded as in 32 bits."""
    single = np.float32(share)
    if single == 0:
        return -float("inf")
    # The steps of the formula that torch follows: the inverse error function, then times the root of two.
    inverse = np.float32(NormalDist().inv_cdf(float(single)) / 2**0.5)
    return float(inverse * np.float32(2**0.5))
