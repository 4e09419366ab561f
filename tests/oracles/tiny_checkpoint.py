"""A tiny Gemma 4 E checkpoint of random weights, saved by transformers: the same bytes on every run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import (
    Gemma4Config,
    Gemma4ForConditionalGeneration,
    GemmaTokenizer,
    GenerationConfig,
    logging,
)

from edgekit import paths

logging.disable_progress_bar()
# Several threads only get into each other's way on tensors this small.
torch.set_num_threads(1)

# In the order of their ids: the first five are where both Gemma and llama.cpp take them for granted.
_NAMES = ("pad", "eos", "bos", "unk", "mask", "sot", "eot", "soc", "eoc", "image", "audio", "escape")
_BUNDLED = json.loads((paths.demo_checkpoint() / "tokenizer_config.json").read_text("utf-8"))
SPECIAL = {f"{name}_token": _BUNDLED[f"{name}_token"] for name in _NAMES}
WORDS = ["▁r", "▁re", "▁red", "▁g", "▁gr", "▁gre", "▁gree", "▁green", "ci", "cir", "circ", "circl", "circle"]
TEMPLATE = "{{ bos_token }}{% for m in messages %}<|turn>{{ m.role }}\n{{ m.content }}<turn|>\n{% endfor %}"


@dataclass(frozen=True)
class Shape:
    """What a test varies; the defaults have widths that no 32-value block divides, so every fallback is met."""

    hidden: int = 96
    intermediate: int = 80
    head: int = 32
    global_head: int = 64
    layers: int = 6
    shared: int = 3
    per_layer: int = 16
    double_wide: bool = True
    vision_intermediate: int = 112
    dtype: torch.dtype = torch.bfloat16
    seed: int = 0


# Each shape's name says what is special about it; `wide` has widths that 256 divides, so no tensor falls back.
SHAPES = {
    "tiny": Shape(),
    "wide": Shape(hidden=256, intermediate=512, head=64, global_head=128, per_layer=64, vision_intermediate=128),
    "half": Shape(dtype=torch.float16, double_wide=False, shared=0),
    "single": Shape(dtype=torch.float32),
    "released": Shape(),
}
SOURCE_TYPES = {torch.bfloat16: "BF16", torch.float16: "F16", torch.float32: "F32"}
# What llama.cpp's converter makes by itself.
CONVERTED = ("F32", "BF16", "F16", "Q8_0")


def config(shape: Shape) -> Gemma4Config:
    kinds = ["full_attention" if (layer + 1) % 3 == 0 else "sliding_attention" for layer in range(shape.layers)]
    text = {
        "vocab_size": 320,
        "vocab_size_per_layer_input": 320,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.intermediate,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 1,
        "head_dim": shape.head,
        "global_head_dim": shape.global_head,
        "hidden_size_per_layer_input": shape.per_layer,
        "num_kv_shared_layers": shape.shared,
        "use_double_wide_mlp": shape.double_wide,
        "layer_types": kinds,
        "sliding_window": 64,
        "max_position_embeddings": 4096,
        "final_logit_softcapping": 30.0,
    }
    vision = {
        "hidden_size": 64,
        "intermediate_size": shape.vision_intermediate,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 32,
        "position_embedding_size": 128,
        "use_clipped_linears": True,
    }
    audio = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "output_proj_dims": 96}
    return Gemma4Config(text_config=text, vision_config=vision, audio_config=audio, dtype=shape.dtype)


def model(shape: Shape) -> Gemma4ForConditionalGeneration:
    """Return the model with every weight, norm, scalar and clipping bound random."""
    made = Gemma4ForConditionalGeneration(config(shape))
    randomize(made, shape.seed)
    return made.to(shape.dtype)


def randomize(made: torch.nn.Module, seed: int = 0, spread: float = 0.3) -> None:
    """Fill every parameter and every buffer of numbers: matrices around 0, all else around 1."""
    dice = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in [*made.parameters(), *made.buffers()]:
            if tensor.is_floating_point():
                noise = torch.randn(tensor.shape, generator=dice)
                tensor.copy_(noise * spread if tensor.dim() > 1 else 1 + noise * spread)


def tokenizer() -> GemmaTokenizer:
    tokens = [*SPECIAL.values(), *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *"circleednag", *WORDS]
    tokens = list(dict.fromkeys(tokens))
    tokens += [f"<unused{index}>" for index in range(320 - len(tokens))]
    merges = [(word[:-1], word[-1]) for word in WORDS]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    return GemmaTokenizer(vocab=vocabulary, merges=merges, chat_template=TEMPLATE, **SPECIAL)


def write(folder: Path, shape: Shape | None = None, shard_size: str = "1GB") -> Path:
    """Write checkpoint, tokenizer and processor settings to `folder` and return it."""
    made = model(shape or Shape())
    made.generation_config = GenerationConfig(
        do_sample=True, temperature=1.0, top_k=64, top_p=0.95, bos_token_id=2, eos_token_id=[1, 6], pad_token_id=0
    )
    made.save_pretrained(folder, max_shard_size=shard_size)
    tokenizer().save_pretrained(folder)
    picture = {"image_mean": [0.0, 0.0, 0.0], "image_std": [1.0, 1.0, 1.0], "patch_size": 16, "pooling_kernel_size": 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(picture), encoding="utf-8")
    return folder


def release(source: Path, folder: Path, shape: Shape) -> Path:
    """Rewrite a checkpoint in the layout of the releases and of older tools, and return `folder`.

    Shards with an index, key and value projections also on the layers that share them, a config with
    `global_head_dim`, a tokenizer that puts <bos> first and has tokens beyond its vocabulary, a model card.
    """
    folder.mkdir(parents=True)
    for path in source.iterdir():
        if path.suffix in (".json", ".jinja"):
            (folder / path.name).write_bytes(path.read_bytes())
    _release_weights(load_file(source / "model.safetensors"), folder, shape)
    _edit(folder / "config.json", lambda values: _release_config(values, shape))
    _edit(folder / "tokenizer.json", _release_tokenizer)
    _edit(folder / "tokenizer_config.json", lambda values: values | {"extra_special_tokens": ["<|video|>"]})
    _edit(folder / "generation_config.json", lambda values: values | {"repetition_penalty": 1.1})
    (folder / "README.md").write_text(MODEL_CARD, encoding="utf-8")
    return folder


MODEL_CARD = """---
license: apache-2.0
base_model: google/gemma-4-E2B-it
tags: [tiny, gemma]
language: [en, "no"]
---
# A tiny model
"""


def _release_weights(weights: dict[str, torch.Tensor], folder: Path, shape: Shape) -> None:
    dice = torch.Generator().manual_seed(99)
    for layer in range(shape.layers - shape.shared, shape.layers):
        head = shape.global_head if (layer + 1) % 3 == 0 else shape.head
        inside = f"model.language_model.layers.{layer}.self_attn."
        for part in "kv":
            weights[f"{inside}{part}_proj.weight"] = torch.randn(head, shape.hidden, generator=dice).to(shape.dtype)
        weights[f"{inside}k_norm.weight"] = torch.ones(head, dtype=shape.dtype)
    names = sorted(weights)
    places = {}
    for number, part in enumerate((names[0::2], names[1::2]), start=1):
        file = f"model-{number:05d}-of-00002.safetensors"
        save_file({name: weights[name] for name in part}, folder / file, metadata={"format": "pt"})
        places |= dict.fromkeys(part, file)
    index = {"metadata": {}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")


def _release_config(values: dict[str, Any], shape: Shape) -> dict[str, Any]:
    text = values["text_config"]
    del text["per_layer_config"]
    return values | {"text_config": text | {"global_head_dim": shape.global_head, "num_global_key_value_heads": 1}}


def _release_tokenizer(values: dict[str, Any]) -> dict[str, Any]:
    first = {"SpecialToken": {"id": "<bos>", "type_id": 0}}
    one, two = ({"Sequence": {"id": name, "type_id": number}} for number, name in enumerate("AB"))
    values["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [first, one],
        "pair": [first, one, first, two],
        "special_tokens": {"<bos>": {"id": "<bos>", "ids": [2], "tokens": ["<bos>"]}},
    }
    like = values["added_tokens"][0]
    values["added_tokens"] += [
        like | {"id": 320, "content": "<|video|>"},
        like | {"id": 321, "content": "<|user_defined|>", "special": False},
    ]
    return values


def _edit(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    values = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(change(values), ensure_ascii=False), encoding="utf-8")
