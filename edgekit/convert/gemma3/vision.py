"""The SigLIP tower and its projection: names and metadata of llama.cpp's `gemma3` projector."""

from __future__ import annotations

from typing import Any

from gguf import GGMLQuantizationType, Keys, VisionProjectorType

from edgekit.convert import keys
from edgekit.convert.colours import colours
from edgekit.convert.gemma3.text import plus_one
from edgekit.convert.section import Section
from edgekit.convert.tables import Expected, Row, expect, expect_layer

_ROWS = {
    "vision_tower.embeddings.patch_embedding.weight": Row(
        "v.patch_embd.weight", "hidden three patch patch", stored=GGMLQuantizationType.F32
    ),
    "vision_tower.embeddings.patch_embedding.bias": Row("v.patch_embd.bias", "hidden"),
    "vision_tower.embeddings.position_embedding.weight": Row(
        "v.position_embd.weight", "positions hidden", stored=GGMLQuantizationType.F32
    ),
    "vision_tower.post_layernorm.weight": Row("v.post_ln.weight", "hidden"),
    "vision_tower.post_layernorm.bias": Row("v.post_ln.bias", "hidden"),
    # llama.cpp has no other kernel for it, and makes it F16 even in a file of F32.
    "multi_modal_projector.mm_input_projection_weight": Row(
        "mm.input_projection.weight", "hidden text", stored=GGMLQuantizationType.F16
    ),
    "multi_modal_projector.mm_soft_emb_norm.weight": Row("mm.soft_emb_norm.weight", "hidden", transform=plus_one),
}
_MATRICES = {
    "self_attn.q_proj": ("attn_q", "hidden hidden"),
    "self_attn.k_proj": ("attn_k", "hidden hidden"),
    "self_attn.v_proj": ("attn_v", "hidden hidden"),
    "self_attn.out_proj": ("attn_out", "hidden hidden"),
    "mlp.fc1": ("ffn_up", "inner hidden"),
    "mlp.fc2": ("ffn_down", "hidden inner"),
    "layer_norm1": ("ln1", "hidden"),
    "layer_norm2": ("ln2", "hidden"),
}
_LAYER_ROWS = {
    f"{name}.{part}": Row(f"{written}.{part}", shape if part == "weight" else shape.split()[0])
    for name, (written, shape) in _MATRICES.items()
    for part in ("weight", "bias")
}
# What SigLIP's image processor does where its settings do not say.
_MEAN = _DEVIATION = 0.5
_TOKENS = 256
# llama.cpp pools patches four by four where it is not told otherwise.
_USUAL_POOLING = 4


def expected(config: Section, text_width: int) -> dict[str, Expected]:
    """Return the tensors of the vision tower and its projection by their plain names."""
    side = config.whole("image_size") // max(1, config.whole("patch_size"))
    sizes = {
        "hidden": config.whole("hidden_size"),
        "inner": config.whole("intermediate_size"),
        "patch": config.whole("patch_size"),
        "positions": side * side,
        "text": text_width,
    }
    found = expect(_ROWS, sizes)
    for layer in range(config.layers()):
        found |= expect_layer(_LAYER_ROWS, f"vision_tower.encoder.layers.{layer}.", f"v.blk.{layer}.", sizes)
    return found


def metadata(config: Section, text_width: int, processor: dict[str, Any]) -> dict[str, keys.Value]:
    """Return the keys that tell llama.cpp the tower's shape; `processor` is the checkpoint's image processor."""
    vision = Keys.ClipVision
    made = {
        Keys.Clip.HAS_VISION_ENCODER: keys.boolean(True),
        Keys.Clip.PROJECTOR_TYPE: keys.text(VisionProjectorType.GEMMA3),
        vision.USE_GELU: keys.boolean(True),
        vision.PROJECTION_DIM: keys.u32(text_width),
        vision.IMAGE_SIZE: keys.u32(config.whole("image_size")),
        vision.PATCH_SIZE: keys.u32(config.whole("patch_size")),
        vision.EMBEDDING_LENGTH: keys.u32(config.whole("hidden_size")),
        vision.FEED_FORWARD_LENGTH: keys.u32(config.whole("intermediate_size")),
        vision.BLOCK_COUNT: keys.u32(config.layers()),
        vision.Attention.HEAD_COUNT: keys.u32(config.whole("num_attention_heads")),
        vision.Attention.LAYERNORM_EPS: keys.f32(config.number("layer_norm_eps")),
        **colours(processor, _MEAN, _DEVIATION),
    }
    pooling = _pooling(config, processor)
    if pooling not in (0, _USUAL_POOLING):
        made[vision.Projector.SCALE_FACTOR] = keys.u32(pooling)
    return made


def _pooling(config: Section, processor: dict[str, Any]) -> int:
    tokens = processor.get("image_seq_length", _TOKENS)
    across = int(tokens**0.5) if isinstance(tokens, int) and tokens > 0 else 16
    return config.whole("image_size") // max(1, config.whole("patch_size")) // across
