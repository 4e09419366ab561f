"""Adapters trained on a vocabulary with more tokens than their base model has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from oracles import peft_merge
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoTokenizer

TOKENS = [f"<new{number}>" for number in range(10)]
# What the base has, and what training makes of it.
BEFORE, AFTER = 320, 330


def make_adapter(base: Path, folder: Path, *, rows: int = AFTER, save_base_rows: bool = False, **settings: Any) -> Path:
    """Save an adapter of random values on a resized model, with the tokenizer that has the new tokens.

    `save_base_rows` saves the tables that low-rank changes are added to beside them.
    """
    model = peft_merge.load(base, torch.float32)
    model.resize_token_embeddings(rows, mean_resizing=False)
    tuned = get_peft_model(model, LoraConfig(**{"r": 4, "lora_alpha": 6, "task_type": "CAUSAL_LM"} | settings))
    dice = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for tensor in tuned.parameters():
            if tensor.requires_grad:
                tensor.add_(torch.randn(tensor.shape, generator=dice) * 0.1)
    tuned.save_pretrained(folder, save_embedding_layers=True if save_base_rows else "auto")
    larger_tokenizer(base, folder)
    return folder


def larger_tokenizer(base: Path, folder: Path) -> None:
    tokens = AutoTokenizer.from_pretrained(base)
    assert tokens.add_tokens(TOKENS) == len(TOKENS)
    tokens.save_pretrained(folder)


def running(base: Path, adapter: Path, rows: int = AFTER) -> Any:
    """Return the model as peft runs it: resized, with the adapter around it."""
    model = peft_merge.load(base, torch.float32)
    model.resize_token_embeddings(rows, mean_resizing=False)
    return PeftModel.from_pretrained(model, adapter).eval()
