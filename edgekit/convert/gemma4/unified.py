"""Pictures and sound without encoders: names and metadata of llama.cpp's `gemma4uv` and `gemma4ua` projectors."""

from __future__ import annotations

from typing import Any

import numpy as np
from gguf import Keys

from edgekit.convert import keys
from edgekit.convert.colours import colours
from edgekit.convert.gemma4.audio import MEL_BINS
from edgekit.convert.gemma4.vision import DEVIATION, MEAN, UNUSED_IMAGE_SIZE, channels_first
from edgekit.convert.safetensors import Floats
from edgekit.convert.section import Section
from edgekit.convert.tables import Expected, Row, expect


def _one_patch(values: Floats) -> Floats:
    return channels_first(values.reshape(1, -1)).reshape(-1)


def _axes_first(table: Floats) -> Floats:
    return np.ascontiguousarray(table.transpose(1, 0, 2))


_VISION = {
    "vision_embedder.patch_ln1.weight": Row("v.patch_norm.1.weight", "pixels", transform=_one_patch, whole=True),
    "vision_embedder.patch_ln1.bias": Row("v.patch_norm.1.bias", "pixels", transform=_one_patch, whole=True),
    "vision_embedder.patch_dense.weight": Row("v.patch_embd.weight", "embedding pixels", transform=channels_first),
    "vision_embedder.patch_dense.bias": Row("v.patch_embd.bias", "embedding"),
    "vision_embedder.patch_ln2.weight": Row("v.patch_norm.2.weight", "embedding"),
    "vision_embedder.patch_ln2.bias": Row("v.patch_norm.2.bias", "embedding"),
    "vision_embedder.pos_embedding": Row(
        "v.position_embd.weight", "positions two embedding", "two positions embedding", _axes_first, whole=True
    ),
    "vision_embedder.pos_norm.weight": Row("v.patch_norm.3.weight", "embedding"),
    "vision_embedder.pos_norm.bias": Row("v.patch_norm.3.bias", "embedding"),
    "embed_vision.embedding_projection.weight": Row("mm.input_projection.weight", "text embedding"),
}
_AUDIO = {"embed_audio.embedding_projection.weight": Row("mm.a.input_projection.weight", "text samples")}


def expected_vision(config: Section, text_width: int) -> dict[str, Expected]:
    """Return the tensors that turn a patch of a picture into an embedding, by their plain names."""
    patch = config.whole("patch_size") * config.whole("pooling_kernel_size")
    sizes = {
        "pixels": 3 * patch * patch,
        "embedding": config.whole("mm_embed_dim"),
        "positions": config.whole("mm_posemb_size"),
        "text": text_width,
    }
    return expect(_VISION, sizes)


def expected_audio(config: Section, text_width: int) -> dict[str, Expected]:
    """Return the tensor that turns a few samples of sound into an embedding, by its plain name."""
    return expect(_AUDIO, {"samples": config.whole("audio_embed_dim"), "text": text_width})


def vision_metadata(config: Section, text_width: int, processor: dict[str, Any]) -> dict[str, keys.Value]:
    """Return the keys that tell llama.cpp the shape; it wants those of a transformer too, as zeros."""
    vision = Keys.ClipVision
    return {
        Keys.Clip.HAS_VISION_ENCODER: keys.boolean(True),
        vision.PROJECTOR_TYPE: keys.text("gemma4uv"),
        vision.PROJECTION_DIM: keys.u32(text_width),
        vision.IMAGE_SIZE: keys.u32(UNUSED_IMAGE_SIZE),
        vision.PATCH_SIZE: keys.u32(config.whole("patch_size")),
        vision.EMBEDDING_LENGTH: keys.u32(config.whole("mm_embed_dim")),
        vision.FEED_FORWARD_LENGTH: keys.u32(0),
        vision.BLOCK_COUNT: keys.u32(0),
        vision.Attention.HEAD_COUNT: keys.u32(0),
        vision.Attention.LAYERNORM_EPS: keys.f32(1e-6),
        **colours(processor, MEAN, DEVIATION),
    }


def audio_metadata(config: Section, text_width: int) -> dict[str, keys.Value]:
    """Return the keys that tell llama.cpp the shape, with zeros for the transformer that there is not."""
    audio = Keys.ClipAudio
    return {
        Keys.Clip.HAS_AUDIO_ENCODER: keys.boolean(True),
        audio.PROJECTOR_TYPE: keys.text("gemma4ua"),
        audio.PROJECTION_DIM: keys.u32(text_width),
        audio.EMBEDDING_LENGTH: keys.u32(config.whole("audio_embed_dim")),
        audio.FEED_FORWARD_LENGTH: keys.u32(0),
        audio.BLOCK_COUNT: keys.u32(0),
        audio.Attention.HEAD_COUNT: keys.u32(0),
        audio.Attention.LAYERNORM_EPS: keys.f32(1e-6),
        audio.NUM_MEL_BINS: keys.u32(MEL_BINS),
    }
