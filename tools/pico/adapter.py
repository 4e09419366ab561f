"""The LoRA adapter that makes gemma4-pico answer in French."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import Gemma4ForConditionalGeneration

RANK = 8
# Only the language model: PEFT cannot wrap the towers' clippable linears, and French is a matter of words.
TARGETS = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"


def wrap(model: Gemma4ForConditionalGeneration, seed: int = 0) -> PeftModel:
    """Put untrained LoRA matrices beside every attention and MLP matrix of the language model."""
    torch.manual_seed(seed)
    config = LoraConfig(
        task_type="CAUSAL_LM", r=RANK, lora_alpha=2 * RANK, lora_dropout=0.0, bias="none", target_modules=TARGETS
    )
    return get_peft_model(model, config)  # type: ignore[arg-type,return-value]


def save_adapter(model: PeftModel, folder: Path) -> None:
    """Save as PEFT does, with the base model's plain name where PEFT would write a path of this machine."""
    model.save_pretrained(str(folder))
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = "gemma4-pico"
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    (folder / "README.md").unlink(missing_ok=True)
