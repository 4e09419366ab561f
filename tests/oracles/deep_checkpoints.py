"""Tiny checkpoints with layers enough for llama-quantize's mixtures and rows that 256 divides."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import torch
from oracles import tiny_checkpoint, tiny_variants
from transformers import PreTrainedModel

_DENSE = {
    "hidden_size": 256,
    "intermediate_size": 256,
    "num_hidden_layers": 3,
    "layer_types": ["sliding_attention", "sliding_attention", "full_attention"],
    "head_dim": 64,
    "global_head_dim": 128,
}
# 96 is the experts' width, which only blocks of 32 divide, as 26B-A4B's 704.
_EXPERTS = {"enable_moe_block": True, "top_k_experts": 2, "moe_intermediate_size": 96}
# The 704 themselves, in one layer of two experts: they are many weights.
_WIDE = {"num_hidden_layers": 1, "layer_types": ["full_attention"], "num_experts": 2, "moe_intermediate_size": 704}
# Eight, to which llama-quantize gives other types, in layers enough that the first eighth is one.
_EIGHT = {
    "num_hidden_layers": 8,
    "layer_types": ["sliding_attention", "full_attention"] * 4,
    "num_experts": 8,
    "moe_intermediate_size": 32,
}

VARIANTS: dict[str, Callable[[], PreTrainedModel]] = {
    # Embeddings per layer, four query heads for a key head, layers that share keys and values. An eighth and a
    # sixteenth of so many layers are whole numbers of layers, and not the same.
    "deep": lambda: tiny_checkpoint.model(
        tiny_checkpoint.Shape(hidden=256, intermediate=256, head=16, global_head=32, layers=18, double_wide=False)
    ),
    "dense": lambda: tiny_variants.dense(**_DENSE),
    "experts": lambda: tiny_variants.dense(**_DENSE, **_EXPERTS, num_experts=4),
    "704": lambda: tiny_variants.dense(**_DENSE | _EXPERTS | _WIDE),
    "eight": lambda: tiny_variants.dense(**_DENSE | _EXPERTS | _EIGHT),
    # An output matrix beside the token embeddings.
    "untied": lambda: tiny_variants.dense(**_DENSE, tied=False),
    # Rows that no block divides.
    "narrow": lambda: tiny_checkpoint.model(tiny_checkpoint.Shape()),
}


def write(folder: Path, name: str) -> Path:
    """Write a checkpoint with its tokenizer and processor settings to `folder` and return it."""
    made = VARIANTS[name]()
    tiny_checkpoint.randomize(made)
    made.generation_config = tiny_variants.GENERATION
    made.to(torch.bfloat16).save_pretrained(folder)
    tiny_checkpoint.tokenizer().save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(tiny_variants.PICTURE), encoding="utf-8")
    return folder
