"""A tiny Gemma 3n with eyes and ears: the text model and the ears saved by transformers, the eyes by their names.

transformers takes the vision tower from timm, whose MobileNetV5 has one size only: here are its tensors as
timm 1.0.31 lists them for `mobilenetv5_300m_enc`, with other widths.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import torch
from oracles import tiny_gemma3
from safetensors.torch import load_file, save_file
from transformers import Gemma3nAudioConfig, Gemma3nTextConfig, Gemma3nVisionConfig
from transformers.models.gemma3n.modeling_gemma3n import Gemma3nAudioEncoder, Gemma3nMultimodalEmbedder

AUDIO = {"hidden_size": 64, "conf_num_hidden_layers": 2, "conf_num_attention_heads": 2}
# As wide as the text, which llama.cpp asks for.
VISION = {"hidden_size": 96}
PICTURE = {"image_seq_length": 256, "size": {"height": 768, "width": 768}, "image_mean": [0.5] * 3}
_WIDTH = 24


def write(folder: Path) -> Path:
    """Write the checkpoint with its tokenizer and processor settings to `folder` and return it."""
    tiny_gemma3.write(folder, tiny_gemma3.gemma3n())
    path = folder / "model.safetensors"
    weights = {name.replace("model.", "model.language_model.", 1): one for name, one in load_file(path).items()}
    save_file(weights | dict(_towers()), path, metadata={"format": "pt"})
    config = folder / "config.json"
    values = {
        "architectures": ["Gemma3nForConditionalGeneration"],
        "model_type": "gemma3n",
        "text_config": json.loads(config.read_text(encoding="utf-8")),
        "audio_config": Gemma3nAudioConfig(**AUDIO).to_dict(),
        "vision_config": Gemma3nVisionConfig(**VISION).to_dict(),
    }
    config.write_text(json.dumps(values), encoding="utf-8")
    (folder / "preprocessor_config.json").write_text(json.dumps(PICTURE), encoding="utf-8")
    return folder


def _towers() -> Iterator[tuple[str, torch.Tensor]]:
    dice = torch.Generator().manual_seed(3)
    text = Gemma3nTextConfig(hidden_size=tiny_gemma3.TEXT["hidden_size"])
    audio, vision = Gemma3nAudioConfig(**AUDIO), Gemma3nVisionConfig(**VISION)
    modules = {
        "audio_tower": Gemma3nAudioEncoder(audio),
        "embed_audio": Gemma3nMultimodalEmbedder(audio, text),
        "embed_vision": Gemma3nMultimodalEmbedder(vision, text),
    }
    shapes = {
        f"model.{name}.{key}": one.shape for name, made in modules.items() for key, one in made.state_dict().items()
    }
    shapes |= {f"model.vision_tower.timm_model.{name}": shape for name, shape in mobilenet()}
    for name, shape in shapes.items():
        noise = torch.randn(shape, generator=dice) * 0.3
        yield name, (noise if len(shape) > 1 else 1 + noise).to(torch.bfloat16)


def mobilenet(width: int = _WIDTH) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the tensors of the vision tower."""
    yield "conv_stem.conv.weight", (width, 3, 3, 3)
    yield "conv_stem.conv.bias", (width,)
    yield "conv_stem.bn.weight", (width,)
    for block in range(3):
        yield from _edge(f"blocks.0.{block}", width)
    for stage, tall in ((1, 4), (2, 7), (3, 0)):
        yield from _inverted(f"blocks.{stage}.0", width, "dw_start", "dw_mid")
        for block in range(1, 1 + tall):
            yield from _inverted(f"blocks.{stage}.{block}", width, "dw_start")
    yield from _inverted("blocks.2.8", width)
    for stage, first, last in ((2, 9, 35), (3, 1, 37)):
        for block in range(first, last + 1, 2):
            yield from _attention(f"blocks.{stage}.{block}", width, shrinks=stage == 2)
            yield from _inverted(f"blocks.{stage}.{block + 1}", width)
    yield "msfa.ffn.pw_exp.conv.weight", (4 * width, 2 * width, 1, 1)
    yield "msfa.ffn.pw_exp.bn.weight", (4 * width,)
    yield "msfa.ffn.pw_proj.conv.weight", (VISION["hidden_size"], 4 * width, 1, 1)
    yield "msfa.ffn.pw_proj.bn.weight", (VISION["hidden_size"],)
    yield "msfa.norm.weight", (VISION["hidden_size"],)


def _edge(inside: str, width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{inside}.conv_exp.weight", (2 * width, width, 3, 3)
    yield f"{inside}.bn1.weight", (2 * width,)
    yield f"{inside}.conv_pwl.weight", (width, 2 * width, 1, 1)
    yield f"{inside}.bn2.weight", (width,)


def _inverted(inside: str, width: int, *depthwise: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    for name in depthwise:
        channels = width if name == "dw_start" else 2 * width
        yield f"{inside}.{name}.conv.weight", (channels, 1, 5, 5)
        yield f"{inside}.{name}.bn.weight", (channels,)
    yield f"{inside}.pw_exp.conv.weight", (2 * width, width, 1, 1)
    yield f"{inside}.pw_exp.bn.weight", (2 * width,)
    yield f"{inside}.pw_proj.conv.weight", (width, 2 * width, 1, 1)
    yield f"{inside}.pw_proj.bn.weight", (width,)
    yield f"{inside}.layer_scale.gamma", (width,)


def _attention(inside: str, width: int, *, shrinks: bool) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{inside}.norm.weight", (width,)
    yield f"{inside}.attn.query.proj.weight", (2 * width, width, 1, 1)
    for part in ("key", "value"):
        if shrinks:
            yield f"{inside}.attn.{part}.down_conv.weight", (width, 1, 3, 3)
            yield f"{inside}.attn.{part}.norm.weight", (width,)
        yield f"{inside}.attn.{part}.proj.weight", (width // 2, width, 1, 1)
    yield f"{inside}.attn.output.proj.weight", (width, 2 * width, 1, 1)
    yield f"{inside}.layer_scale.gamma", (width,)
