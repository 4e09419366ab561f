"""The vision tower and its projection: names and metadata of llama.cpp's `gemma4v` projector."""

from __future__ import annotations

from typing import Any

from gguf import Keys, VisionProjectorType

from edgekit.convert import keys
from edgekit.convert.colours import CHANNELS, colours
from edgekit.convert.gemma4.clipping import with_bounds
from edgekit.convert.safetensors import Floats
from edgekit.convert.section import Section
from edgekit.convert.tables import Expected, Row, expect, expect_layer

# Gemma 4 takes colours as they are.
MEAN, DEVIATION = 0.0, 1.0


def channels_first(rows: Floats) -> Floats:
    """Turn patches, which lie there as rows of pixels of three colours, into a plane per colour."""
    width = rows.reshape(len(rows), -1).shape[1]
    side = round((width / CHANNELS) ** 0.5)
    return rows.reshape(-1, side, side, CHANNELS).transpose(0, 3, 1, 2)


_ROWS = {
    "vision_tower.patch_embedder.input_proj.weight": Row(
        "v.patch_embd.weight", "hidden pixels", "hidden three patch patch", channels_first
    ),
    "vision_tower.patch_embedder.position_embedding_table": Row("v.position_embd.weight", "two positions hidden"),
    "vision_tower.std_bias": Row("v.std_bias", "hidden"),
    "vision_tower.std_scale": Row("v.std_scale", "hidden"),
    "embed_vision.embedding_projection.weight": Row("mm.input_projection.weight", "text hidden"),
}
_STANDARD = ("vision_tower.std_bias", "vision_tower.std_scale")
_LAYER_ROWS = {
    "input_layernorm.weight": Row("ln1.weight", "hidden"),
    "self_attn.q_proj.weight": Row("attn_q.weight", "query hidden"),
    "self_attn.k_proj.weight": Row("attn_k.weight", "kv hidden"),
    "self_attn.v_proj.weight": Row("attn_v.weight", "kv hidden"),
    "self_attn.o_proj.weight": Row("attn_out.weight", "hidden query"),
    "self_attn.q_norm.weight": Row("attn_q_norm.weight", "head"),
    "self_attn.k_norm.weight": Row("attn_k_norm.weight", "head"),
    "post_attention_layernorm.weight": Row("attn_post_norm.weight", "hidden"),
    "pre_feedforward_layernorm.weight": Row("ln2.weight", "hidden"),
    "mlp.gate_proj.weight": Row("ffn_gate.weight", "inner hidden"),
    "mlp.up_proj.weight": Row("ffn_up.weight", "inner hidden"),
    "mlp.down_proj.weight": Row("ffn_down.weight", "hidden inner"),
    "post_feedforward_layernorm.weight": Row("ffn_post_norm.weight", "hidden"),
}
_CLIPPABLE = [name for name in _LAYER_ROWS if "_proj." in name]
# llama.cpp wants one, but resizes a picture to whole patches instead.
UNUSED_IMAGE_SIZE = 224


def expected(config: Section, text_width: int) -> dict[str, Expected]:
    """Return the tensors of the vision tower and its projection by their plain names."""
    hidden, patch, head = config.whole("hidden_size"), config.whole("patch_size"), config.whole("head_dim")
    heads = config.whole("num_attention_heads")
    sizes = {
        "hidden": hidden,
        "inner": config.whole("intermediate_size"),
        "head": head,
        "query": heads * head,
        "kv": (config.whole_or_none("num_key_value_heads") or heads) * head,
        "text": text_width,
        "patch": patch,
        "pixels": CHANNELS * patch * patch,
        "positions": config.whole("position_embedding_size"),
    }
    found = expect(_ROWS, sizes, () if config.flag("standardize") else _STANDARD)
    rows, bounds = with_bounds(_LAYER_ROWS, _CLIPPABLE)
    optional = () if config.flag("use_clipped_linears") else bounds
    for layer in range(config.layers()):
        found |= expect_layer(rows, f"vision_tower.encoder.layers.{layer}.", f"v.blk.{layer}.", sizes, optional)
    return found


def metadata(config: Section, text_width: int, processor: dict[str, Any]) -> dict[str, keys.Value]:
    """Return the keys that tell llama.cpp the tower's shape; `processor` is the checkpoint's image processor."""
    vision = Keys.ClipVision
    return {
        Keys.Clip.HAS_VISION_ENCODER: keys.boolean(True),
        # Without it llama.cpp computes sigmoid(1.702 x) x instead of Gemma's tanh form: the embeddings are then off by
        # 9e-3 relative RMS instead of 6e-4, and the next token's distribution by a hundred times more.
        vision.USE_GELU: keys.boolean(True),
        vision.PROJECTOR_TYPE: keys.text(VisionProjectorType.GEMMA4V),
        vision.PROJECTION_DIM: keys.u32(text_width),
        vision.IMAGE_SIZE: keys.u32(UNUSED_IMAGE_SIZE),
        vision.PATCH_SIZE: keys.u32(config.whole("patch_size")),
        vision.EMBEDDING_LENGTH: keys.u32(config.whole("hidden_size")),
        vision.FEED_FORWARD_LENGTH: keys.u32(config.whole("intermediate_size")),
        vision.BLOCK_COUNT: keys.u32(config.whole("num_hidden_layers")),
        vision.Attention.HEAD_COUNT: keys.u32(config.whole("num_attention_heads")),
        vision.Attention.LAYERNORM_EPS: keys.f32(1e-6),
        **colours(processor, MEAN, DEVIATION),
    }
