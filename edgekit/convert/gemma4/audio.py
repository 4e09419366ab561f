"""The audio conformer and its projection: names and metadata of llama.cpp's `gemma4a` projector."""

from __future__ import annotations

import numpy as np
from gguf import Keys, VisionProjectorType

from edgekit.convert import keys
from edgekit.convert.checkpoint import Weight
from edgekit.convert.gemma4.config import TowerConfig
from edgekit.convert.gemma4.tower import Naming
from edgekit.convert.plan import TensorPlan
from edgekit.convert.safetensors import Floats

PREFIXES = ("model.audio_tower.", "model.embed_audio.")

_NAMES = {
    "model.audio_tower.subsample_conv_projection.layer0.conv": "a.conv1d.0",
    "model.audio_tower.subsample_conv_projection.layer0.norm": "a.conv1d.0.norm",
    "model.audio_tower.subsample_conv_projection.layer1.conv": "a.conv1d.1",
    "model.audio_tower.subsample_conv_projection.layer1.norm": "a.conv1d.1.norm",
    "model.audio_tower.subsample_conv_projection.input_proj_linear": "a.input_projection",
    "model.audio_tower.output_proj": "a.pre_encode.out",
    "model.embed_audio.embedding_projection": "mm.a.input_projection",
}
_LAYER_NAMES = {
    "feed_forward1.pre_layer_norm": "ffn_norm",
    "feed_forward1.ffw_layer_1": "ffn_up",
    "feed_forward1.ffw_layer_2": "ffn_down",
    "feed_forward1.post_layer_norm": "ffn_post_norm",
    "norm_pre_attn": "attn_pre_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.relative_k_proj": "attn_k_rel",
    "self_attn.per_dim_scale": "per_dim_scale",
    "self_attn.post": "attn_out",
    "norm_post_attn": "attn_post_norm",
    "lconv1d.pre_layer_norm": "conv_norm",
    "lconv1d.linear_start": "conv_pw1",
    "lconv1d.depthwise_conv1d": "conv_dw",
    "lconv1d.conv_norm": "norm_conv",
    "lconv1d.linear_end": "conv_pw2",
    "feed_forward2.pre_layer_norm": "ffn_norm_1",
    "feed_forward2.ffw_layer_1": "ffn_up_1",
    "feed_forward2.ffw_layer_2": "ffn_down_1",
    "feed_forward2.post_layer_norm": "ffn_post_norm_1",
    "norm_out": "ln2",
}
_FEED_FORWARD = frozenset(f"feed_forward{half}.ffw_layer_{step}" for half in (1, 2) for step in (1, 2))
_ATTENTION = frozenset(f"self_attn.{part}" for part in ("q_proj", "k_proj", "v_proj", "post"))
NAMING = Naming(
    ("model.audio_tower.layers.", "a.blk."),
    _LAYER_NAMES,
    _NAMES,
    clippable=_FEED_FORWARD | _ATTENTION | {"lconv1d.linear_start", "lconv1d.linear_end"},
    biased=("model.audio_tower.output_proj",),
)
# The width of the log-mel spectrogram, fixed by the subsampling convolutions.
_MEL_BINS = 128


def tensor(weight: Weight) -> TensorPlan:
    """Return the plan for a tensor of the audio tower."""
    made = NAMING.plan(weight)
    if made.name.endswith(".per_dim_scale.weight"):
        return TensorPlan(made.name, made.shape, weight, _softplus)
    if made.name.endswith(".conv_dw.weight") and len(made.shape) == 3:
        # Depthwise: the middle dimension, input channels per group, is one.
        return TensorPlan(made.name, (made.shape[0], made.shape[2]), weight)
    return made


def _softplus(values: Floats) -> Floats:
    # The model scales queries by softplus(x); llama.cpp takes the result. log(1 + e^x) without overflow.
    wide = values.astype(np.float64)
    return (np.maximum(wide, 0) + np.log1p(np.exp(-np.abs(wide)))).astype(np.float32)


def metadata(config: TowerConfig, text_width: int) -> dict[str, keys.Value]:
    """Return the keys that tell llama.cpp the tower's shape."""
    audio = Keys.ClipAudio
    return {
        Keys.Clip.HAS_AUDIO_ENCODER: keys.boolean(True),
        audio.PROJECTOR_TYPE: keys.text(VisionProjectorType.GEMMA4A),
        audio.PROJECTION_DIM: keys.u32(text_width),
        audio.EMBEDDING_LENGTH: keys.u32(config.hidden_size),
        audio.FEED_FORWARD_LENGTH: keys.u32(config.intermediate_size),
        audio.BLOCK_COUNT: keys.u32(config.layers),
        audio.Attention.HEAD_COUNT: keys.u32(config.heads),
        audio.Attention.LAYERNORM_EPS: keys.f32(1e-6),
        audio.NUM_MEL_BINS: keys.u32(_MEL_BINS),
    }
