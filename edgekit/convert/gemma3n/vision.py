"""The MobileNetV5 tower and its projection: names and metadata of llama.cpp's `gemma3nv` projector."""

from __future__ import annotations

from typing import Any

from gguf import GGMLQuantizationType, Keys

from edgekit.convert import keys
from edgekit.convert.colours import colours
from edgekit.convert.section import Section
from edgekit.convert.tables import Expected, Row, expect, expect_layer

TOWER = "vision_tower.timm_model."
STEM_BIAS = f"{TOWER}conv_stem.conv.bias"
_ROWS = {
    # llama.cpp has no other kernel for the first convolution, and adds its bias to planes.
    f"{TOWER}conv_stem.conv.weight": Row(
        "v.conv_stem.conv.weight", "stem three three three", stored=GGMLQuantizationType.F32
    ),
    STEM_BIAS: Row("v.conv_stem.conv.bias", "stem", "one stem one one", whole=True),
    f"{TOWER}conv_stem.bn.weight": Row("v.conv_stem.bn.weight", "stem"),
    f"{TOWER}msfa.ffn.pw_exp.conv.weight": Row("v.msfa.ffn.pw_exp.conv.weight", "* * one one"),
    f"{TOWER}msfa.ffn.pw_exp.bn.weight": Row("v.msfa.ffn.pw_exp.bn.weight", "*"),
    f"{TOWER}msfa.ffn.pw_proj.conv.weight": Row("v.msfa.ffn.pw_proj.conv.weight", "hidden * one one"),
    f"{TOWER}msfa.ffn.pw_proj.bn.weight": Row("v.msfa.ffn.pw_proj.bn.weight", "hidden"),
    f"{TOWER}msfa.norm.weight": Row("v.msfa.norm.weight", "hidden"),
    "embed_vision.embedding.weight": Row("mm.embedding.weight", "* hidden"),
    "embed_vision.hard_embedding_norm.weight": Row("mm.hard_emb_norm.weight", "hidden"),
    "embed_vision.soft_embedding_norm.weight": Row("mm.soft_emb_norm.weight", "hidden"),
    "embed_vision.embedding_projection.weight": Row("mm.input_projection.weight", "text hidden"),
}
_KERNEL, _SCALE = "* * * *", "*"
_EDGE = {"conv_exp": _KERNEL, "bn1": _SCALE, "conv_pwl": _KERNEL, "bn2": _SCALE}
_POINTWISE = {"pw_exp.conv": _KERNEL, "pw_exp.bn": _SCALE, "pw_proj.conv": _KERNEL, "pw_proj.bn": _SCALE}
_START = {"dw_start.conv": _KERNEL, "dw_start.bn": _SCALE}
_MIDDLE = {"dw_mid.conv": _KERNEL, "dw_mid.bn": _SCALE}
_ATTENTION = {"norm": _SCALE} | {f"attn.{part}.proj": _KERNEL for part in ("query", "key", "value", "output")}
_SMALLER = {
    f"attn.{part}.{name}": shape
    for part in ("key", "value")
    for name, shape in (("down_conv", _KERNEL), ("norm", _SCALE))
}
# The kinds of blocks, and the stages of blocks: the tower has one size only, timm's mobilenetv5_300m_enc.
_BLOCKS = {
    "edge": _EDGE,
    "down": _START | _POINTWISE | _MIDDLE,
    "tall": _START | _POINTWISE,
    "flat": _POINTWISE,
    "near": _ATTENTION | _SMALLER,
    "far": _ATTENTION,
}
_STAGES = (
    ("edge",) * 3,
    ("down", *("tall",) * 4),
    ("down", *("tall",) * 7, "flat", *("near", "flat") * 14),
    ("down", *("far", "flat") * 19),
)
# What llama.cpp's converter writes where the processor's settings do not say.
_SIDE, _TOKENS = 768, 256
# It wants the shape of a transformer too, and makes no use of it.
_UNUSED = {"intermediate_size": 2048, "num_attention_heads": 8, "layer_norm_eps": 1e-6}
_UNUSED_BLOCKS = 128
DEFAULTS: dict[str, Any] = _UNUSED | {"hidden_size": 2048}


def expected(config: Section, text_width: int, stem: int) -> dict[str, Expected]:
    """Return the tensors of the vision tower and its projection by their plain names; `stem` is its first width."""
    sizes = {"hidden": config.whole("hidden_size"), "text": text_width, "stem": stem}
    found = expect(_ROWS, sizes)
    for stage, blocks in enumerate(_STAGES):
        for number, kind in enumerate(blocks):
            place = f"{stage}.{number}."
            found |= expect_layer(_rows(kind), f"{TOWER}blocks.{place}", f"v.blk.{place}", sizes)
    return found


def _rows(kind: str) -> dict[str, Row]:
    rows = {f"{name}.weight": Row(f"{name}.weight", shape) for name, shape in _BLOCKS[kind].items()}
    return rows if kind == "edge" else rows | {"layer_scale.gamma": Row("layer_scale.gamma", _SCALE)}


def metadata(config: Section, text_width: int, processor: dict[str, Any]) -> dict[str, keys.Value]:
    """Return the keys that tell llama.cpp the tower's shape; `processor` is the checkpoint's image processor."""
    vision = Keys.ClipVision
    size, tokens = processor.get("size"), processor.get("image_seq_length", _TOKENS)
    given = size.get("height") if isinstance(size, dict) else _SIDE
    side = given if isinstance(given, int) and given > 0 else _SIDE
    return {
        Keys.Clip.HAS_VISION_ENCODER: keys.boolean(True),
        vision.PROJECTOR_TYPE: keys.text("gemma3nv"),
        vision.PROJECTION_DIM: keys.u32(text_width),
        vision.IMAGE_SIZE: keys.u32(side),
        # llama.cpp takes this for the square root of how many tokens a picture becomes.
        vision.PATCH_SIZE: keys.u32(side // tokens if isinstance(tokens, int) and 0 < tokens <= side else 1),
        vision.EMBEDDING_LENGTH: keys.u32(config.whole("hidden_size")),
        vision.FEED_FORWARD_LENGTH: keys.u32(4 * config.whole("intermediate_size")),
        vision.BLOCK_COUNT: keys.u32(_UNUSED_BLOCKS),
        vision.Attention.HEAD_COUNT: keys.u32(config.whole("num_attention_heads")),
        vision.Attention.LAYERNORM_EPS: keys.f32(config.number("layer_norm_eps")),
        # The network takes colours as they are, whatever the settings say.
        **colours({}, 0.0, 1.0),
    }
