"""peft itself: makes adapters on a checkpoint and merges them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from transformers import logging

logging.disable_progress_bar()
# Several threads only get into each other's way on tensors this small.
torch.set_num_threads(1)

# Everything in a checkpoint that is not weights.
_COMPANIONS = ("*.json", "*.jinja")
TEXT_TARGETS = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"


def load(checkpoint: Path, dtype: torch.dtype | str, **settings: Any) -> Any:
    """Return a checkpoint's model, of whatever class it is."""
    values = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    return getattr(transformers, values["architectures"][0]).from_pretrained(checkpoint, dtype=dtype, **settings)


def make_adapter(checkpoint: Path, folder: Path, *, seed: int = 1, size: float = 0.1, **settings: Any) -> Path:
    """Save a LoRA adapter of random values, with `settings` of LoraConfig, and return its folder."""
    base = load(checkpoint, torch.float32)
    chosen = {"r": 4, "lora_alpha": 6, "target_modules": TEXT_TARGETS, "task_type": "CAUSAL_LM"} | settings
    model = get_peft_model(base, LoraConfig(**chosen))
    dice = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            if not tensor.requires_grad:
                continue
            noise = torch.randn(tensor.shape, generator=dice) * size
            if "lora_" in name and "magnitude" not in name:
                tensor.copy_(noise)
            else:
                # Lengths, biases and whole weights begin as those of the base.
                tensor.mul_(1 + noise).add_(noise)
    model.save_pretrained(folder)
    return folder


def merge(checkpoint: Path, adapters: Sequence[Path], folder: Path) -> Path:
    """Merge adapters one after the other as peft does, in the checkpoint's own type, and save the result."""
    model = _merged(checkpoint, adapters, "auto")
    folder.mkdir(parents=True)
    for pattern in _COMPANIONS:
        for path in checkpoint.glob(pattern):
            shutil.copy(path, folder / path.name)
    model.save_pretrained(folder)
    return folder


def merged_weights(
    checkpoint: Path, adapters: Sequence[Path], dtype: torch.dtype | str = "auto"
) -> dict[str, torch.Tensor]:
    """Return all weights of a merge, in the checkpoint's own type or another; those of an untied output layer too."""
    return dict(_merged(checkpoint, adapters, dtype).state_dict())


def saved_weights(
    checkpoint: Path, adapters: Sequence[Path], folder: Path, dtype: torch.dtype | str = "auto"
) -> dict[str, torch.Tensor]:
    """Return all weights of a merge by the names that they have in a saved file."""
    _merged(checkpoint, adapters, dtype).save_pretrained(folder)
    return load_file(folder / "model.safetensors")


def _merged(checkpoint: Path, adapters: Sequence[Path], dtype: torch.dtype | str) -> Any:
    model = load(checkpoint, dtype)
    for adapter in adapters:
        model = PeftModel.from_pretrained(model, adapter).merge_and_unload()
    return model
