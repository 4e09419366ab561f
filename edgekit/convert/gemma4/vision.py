"""The vision tower and its projection: names and metadata of llama.cpp's `gemma4v` projector."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from gguf import GGUFValueType, Keys, VisionProjectorType

from edgekit.convert import keys
from edgekit.convert.checkpoint import Weight
from edgekit.convert.gemma4.config import TowerConfig
from edgekit.convert.gemma4.tower import Naming
from edgekit.convert.plan import TensorPlan
from edgekit.convert.safetensors import Floats

PREFIXES = ("model.vision_tower.", "model.embed_vision.")

_NAMES = {
    "model.vision_tower.patch_embedder.input_proj": "v.patch_embd",
    "model.vision_tower.patch_embedder.position_embedding_table": "v.position_embd",
    "model.embed_vision.embedding_projection": "mm.input_projection",
}
_LAYER_NAMES = {
    "input_layernorm": "ln1",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_out",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "attn_post_norm",
    "pre_feedforward_layernorm": "ln2",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "post_feedforward_layernorm": "ffn_post_norm",
}
_ATTENTION = frozenset(f"self_attn.{part}_proj" for part in "qkvo")
NAMING = Naming(
    ("model.vision_tower.encoder.layers.", "v.blk."),
    _LAYER_NAMES,
    _NAMES,
    clippable=_ATTENTION | {"mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"},
)
_CHANNELS = 3
# llama.cpp wants one, but resizes a picture to whole patches instead.
_UNUSED_IMAGE_SIZE = 224


def tensor(weight: Weight, patch_size: int) -> TensorPlan:
    """Return the plan for a tensor of the vision tower."""
    made = NAMING.plan(weight)
    if made.name != "v.patch_embd.weight":
        return made
    shape = (weight.height, _CHANNELS, patch_size, patch_size)
    unfold: Callable[[Floats], Floats] = partial(_channels_first, patch_size=patch_size)
    return TensorPlan(made.name, shape, weight, unfold)


def _channels_first(rows: Floats, patch_size: int) -> Floats:
    # A patch lies there as rows of pixels of three colours; llama.cpp's convolution wants a plane per colour.
    return rows.reshape(-1, patch_size, patch_size, _CHANNELS).transpose(0, 3, 1, 2)


def metadata(config: TowerConfig, patch_size: int, text_width: int, processor: dict[str, Any]) -> dict[str, keys.Value]:
    """Return the keys that tell llama.cpp the tower's shape; `processor` is the checkpoint's image processor."""
    vision = Keys.ClipVision
    return {
        Keys.Clip.HAS_VISION_ENCODER: keys.boolean(True),
        # Without it llama.cpp computes sigmoid(1.702 x) x instead of Gemma's tanh form: the embeddings are then off by
        # 9e-3 relative RMS instead of 6e-4, and the next token's distribution by a hundred times more.
        vision.USE_GELU: keys.boolean(True),
        vision.PROJECTOR_TYPE: keys.text(VisionProjectorType.GEMMA4V),
        vision.PROJECTION_DIM: keys.u32(text_width),
        vision.IMAGE_SIZE: keys.u32(_UNUSED_IMAGE_SIZE),
        vision.PATCH_SIZE: keys.u32(patch_size),
        vision.EMBEDDING_LENGTH: keys.u32(config.hidden_size),
        vision.FEED_FORWARD_LENGTH: keys.u32(config.intermediate_size),
        vision.BLOCK_COUNT: keys.u32(config.layers),
        vision.Attention.HEAD_COUNT: keys.u32(config.heads),
        vision.Attention.LAYERNORM_EPS: keys.f32(1e-6),
        vision.IMAGE_MEAN: _colours(processor.get("image_mean"), 0.0),
        vision.IMAGE_STD: _colours(processor.get("image_std"), 1.0),
    }


def _colours(given: object, default: float) -> keys.Value:
    # Whole numbers in the file would become integers, and the projector would not load.
    numbers = given if isinstance(given, list) and len(given) == _CHANNELS else [default] * _CHANNELS
    return keys.array(GGUFValueType.FLOAT32, [float(number) for number in numbers])
