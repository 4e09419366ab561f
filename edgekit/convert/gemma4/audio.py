"""The audio conformer and its projection: names and metadata of llama.cpp's `gemma4a` projector."""

from __future__ import annotations

import numpy as np
from gguf import Keys, VisionProjectorType

from edgekit.convert import keys
from edgekit.convert.gemma4.clipping import with_bounds
from edgekit.convert.safetensors import Floats
from edgekit.convert.section import Section
from edgekit.convert.tables import Expected, Row, expect, expect_layer

# The width of the log-mel spectrogram; two convolutions of stride 2 leave a quarter of it.
MEL_BINS = 128
_CHANNELS = [128, 32]


def softplus(values: Floats) -> Floats:
    """Return log(1 + e^x)."""
    # The model scales queries by softplus(x); llama.cpp takes the result. log(1 + e^x) without overflow.
    wide = values.astype(np.float64)
    return (np.maximum(wide, 0) + np.log1p(np.exp(-np.abs(wide)))).astype(np.float32)


_SUBSAMPLE = "audio_tower.subsample_conv_projection."
_ROWS = {
    f"{_SUBSAMPLE}layer0.conv.weight": Row("a.conv1d.0.weight", "first one three three"),
    f"{_SUBSAMPLE}layer0.norm.weight": Row("a.conv1d.0.norm.weight", "first"),
    f"{_SUBSAMPLE}layer1.conv.weight": Row("a.conv1d.1.weight", "second first three three"),
    f"{_SUBSAMPLE}layer1.norm.weight": Row("a.conv1d.1.norm.weight", "second"),
    f"{_SUBSAMPLE}input_proj_linear.weight": Row("a.input_projection.weight", "hidden subsampled"),
    "audio_tower.output_proj.weight": Row("a.pre_encode.out.weight", "output hidden"),
    "audio_tower.output_proj.bias": Row("a.pre_encode.out.bias", "output"),
    "embed_audio.embedding_projection.weight": Row("mm.a.input_projection.weight", "text output"),
}
_LAYER_ROWS = {
    "feed_forward1.pre_layer_norm.weight": Row("ffn_norm.weight", "hidden"),
    "feed_forward1.ffw_layer_1.weight": Row("ffn_up.weight", "inner hidden"),
    "feed_forward1.ffw_layer_2.weight": Row("ffn_down.weight", "hidden inner"),
    "feed_forward1.post_layer_norm.weight": Row("ffn_post_norm.weight", "hidden"),
    "norm_pre_attn.weight": Row("attn_pre_norm.weight", "hidden"),
    "self_attn.q_proj.weight": Row("attn_q.weight", "hidden hidden"),
    "self_attn.k_proj.weight": Row("attn_k.weight", "hidden hidden"),
    "self_attn.v_proj.weight": Row("attn_v.weight", "hidden hidden"),
    "self_attn.relative_k_proj.weight": Row("attn_k_rel.weight", "hidden hidden"),
    "self_attn.per_dim_scale": Row("per_dim_scale.weight", "head", transform=softplus),
    "self_attn.post.weight": Row("attn_out.weight", "hidden hidden"),
    "norm_post_attn.weight": Row("attn_post_norm.weight", "hidden"),
    "lconv1d.pre_layer_norm.weight": Row("conv_norm.weight", "hidden"),
    "lconv1d.linear_start.weight": Row("conv_pw1.weight", "twice hidden"),
    # Depthwise: the middle dimension, input channels per group, is one.
    "lconv1d.depthwise_conv1d.weight": Row("conv_dw.weight", "hidden one kernel", "hidden kernel"),
    "lconv1d.conv_norm.weight": Row("norm_conv.weight", "hidden"),
    "lconv1d.linear_end.weight": Row("conv_pw2.weight", "hidden hidden"),
    "feed_forward2.pre_layer_norm.weight": Row("ffn_norm_1.weight", "hidden"),
    "feed_forward2.ffw_layer_1.weight": Row("ffn_up_1.weight", "inner hidden"),
    "feed_forward2.ffw_layer_2.weight": Row("ffn_down_1.weight", "hidden inner"),
    "feed_forward2.post_layer_norm.weight": Row("ffn_post_norm_1.weight", "hidden"),
    "norm_out.weight": Row("ln2.weight", "hidden"),
}
_CLIPPABLE = [
    *(f"feed_forward{half}.ffw_layer_{step}.weight" for half in (1, 2) for step in (1, 2)),
    *(f"self_attn.{part}.weight" for part in ("q_proj", "k_proj", "v_proj", "post")),
    "lconv1d.linear_start.weight",
    "lconv1d.linear_end.weight",
]


def expected(config: Section, text_width: int) -> dict[str, Expected]:
    """Return the tensors of the conformer and its projection by their plain names."""
    hidden, heads = config.whole("hidden_size"), config.whole("num_attention_heads")
    first, second = _channels(config)
    sizes = {
        "hidden": hidden,
        # A conformer's feed-forward is always four times as wide as the conformer.
        "inner": 4 * hidden,
        "twice": 2 * hidden,
        "head": hidden // max(1, heads),
        "kernel": config.whole("conv_kernel_size"),
        "first": first,
        "second": second,
        "subsampled": second * MEL_BINS // 4,
        "output": config.whole("output_proj_dims"),
        "text": text_width,
    }
    found = expect(_ROWS, sizes)
    rows, bounds = with_bounds(_LAYER_ROWS, _CLIPPABLE)
    optional = () if config.flag("use_clipped_linears") else bounds
    for layer in range(config.layers()):
        found |= expect_layer(rows, f"audio_tower.layers.{layer}.", f"a.blk.{layer}.", sizes, optional)
    return found


def _channels(config: Section) -> list[int]:
    found = config.get("subsampling_conv_channels") or _CHANNELS
    if not isinstance(found, list) or len(found) != 2 or not all(isinstance(count, int) for count in found):
        raise config.wrong("subsampling_conv_channels", "no pair of numbers")
    return found


def metadata(config: Section, text_width: int) -> dict[str, keys.Value]:
    """Return the keys that tell llama.cpp the tower's shape."""
    audio = Keys.ClipAudio
    return {
        Keys.Clip.HAS_AUDIO_ENCODER: keys.boolean(True),
        audio.PROJECTOR_TYPE: keys.text(VisionProjectorType.GEMMA4A),
        audio.PROJECTION_DIM: keys.u32(text_width),
        audio.EMBEDDING_LENGTH: keys.u32(config.whole("hidden_size")),
        audio.FEED_FORWARD_LENGTH: keys.u32(4 * config.whole("hidden_size")),
        audio.BLOCK_COUNT: keys.u32(config.whole("num_hidden_layers")),
        audio.Attention.HEAD_COUNT: keys.u32(config.whole("num_attention_heads")),
        audio.Attention.LAYERNORM_EPS: keys.f32(1e-6),
        audio.NUM_MEL_BINS: keys.u32(MEL_BINS),
    }
