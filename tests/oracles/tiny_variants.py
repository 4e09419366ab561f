"""Tiny checkpoints of random weights of the other Gemmas that edgekit converts, saved by transformers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from oracles import tiny_checkpoint, tiny_gemma3
from safetensors.torch import load_file, save_file
from transformers import (
    Gemma4AssistantConfig,
    Gemma4AssistantForCausalLM,
    Gemma4Config,
    Gemma4ForCausalLM,
    Gemma4ForConditionalGeneration,
    Gemma4TextConfig,
    Gemma4UnifiedAssistantConfig,
    Gemma4UnifiedAssistantForCausalLM,
    Gemma4UnifiedConfig,
    Gemma4UnifiedForConditionalGeneration,
    Gemma4UnifiedTextConfig,
    GenerationConfig,
    PreTrainedModel,
)

# As 31B: no embeddings per layer, keys that serve as values on global layers, which have fewer heads.
DENSE: dict[str, Any] = {
    "vocab_size": 320,
    "vocab_size_per_layer_input": 320,
    "hidden_size": 96,
    "intermediate_size": 80,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_global_key_value_heads": 1,
    "head_dim": 32,
    "global_head_dim": 64,
    "hidden_size_per_layer_input": 0,
    "attention_k_eq_v": True,
    "layer_types": ["sliding_attention", "sliding_attention", "full_attention"] * 2,
    "sliding_window": 64,
    "max_position_embeddings": 4096,
    "final_logit_softcapping": 30.0,
    "use_bidirectional_attention": "vision",
}
# As 26B-A4B; 704 is its experts' width, which no block of 256 divides.
EXPERTS = {"enable_moe_block": True, "num_experts": 4, "top_k_experts": 2, "moe_intermediate_size": 704}
VISION = {
    "hidden_size": 64,
    "intermediate_size": 112,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "position_embedding_size": 128,
    "standardize": True,
}
UNIFIED_VISION = {
    "patch_size": 4,
    "pooling_kernel_size": 3,
    "mm_embed_dim": 96,
    "mm_posemb_size": 40,
    "output_proj_dims": 96,
}
# llama.cpp's converter asks for the first, which the released config has and transformers' class has not.
UNIFIED = {"moe_intermediate_size": None, "tie_word_embeddings": True}
NOT_UNIFIED = ("vocab_size_per_layer_input", "hidden_size_per_layer_input")
# Another width than the drafter's own: llama.cpp tells the two apart.
BACKBONE = 128
GENERATION = GenerationConfig(
    do_sample=True, temperature=1.0, top_k=64, top_p=0.95, eos_token_id=[1, 6], pad_token_id=0
)
PICTURE = {"image_mean": [0.0, 0.0, 0.0], "image_std": [1.0, 1.0, 1.0], "patch_size": 16, "pooling_kernel_size": 3}


def unified_text(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in DENSE.items() if key not in NOT_UNIFIED} | UNIFIED | changes


def dense(*, tied: bool = True, **changes: Any) -> PreTrainedModel:
    text = DENSE | changes | {"tie_word_embeddings": tied}
    config = Gemma4Config(text_config=text, vision_config=VISION, tie_word_embeddings=tied)
    return Gemma4ForConditionalGeneration(config)


def text_only() -> PreTrainedModel:
    return Gemma4ForCausalLM(Gemma4TextConfig(**DENSE))


def unified() -> PreTrainedModel:
    config = Gemma4UnifiedConfig(
        text_config=unified_text(), vision_config=UNIFIED_VISION, audio_config={"audio_embed_dim": 64}
    )
    return Gemma4UnifiedForConditionalGeneration(config)


def drafter() -> PreTrainedModel:
    changes = {"vocab_size_per_layer_input": 0, "attention_k_eq_v": False, "num_kv_shared_layers": 6}
    config = Gemma4AssistantConfig(
        text_config=Gemma4TextConfig(**(DENSE | changes)),
        backbone_hidden_size=BACKBONE,
        use_ordered_embeddings=True,
        num_centroids=8,
        centroid_intermediate_top_k=2,
    )
    return Gemma4AssistantForCausalLM(config)


def unified_drafter() -> PreTrainedModel:
    text = Gemma4UnifiedTextConfig(**unified_text(num_kv_shared_layers=6))
    return Gemma4UnifiedAssistantForCausalLM(
        Gemma4UnifiedAssistantConfig(text_config=text, backbone_hidden_size=BACKBONE)
    )


VARIANTS: dict[str, Callable[[], PreTrainedModel]] = {
    "dense": dense,
    "experts": lambda: dense(**EXPERTS),
    "unified": unified,
    "text-only": text_only,
    "drafter": drafter,
    "unified-drafter": unified_drafter,
    **tiny_gemma3.VARIANTS,
}
# Those without a projector.
EYELESS = ("text-only", "drafter", "unified-drafter", "gemma3-text", "functiongemma", "gemma3n")


def write(folder: Path, name: str, dtype: torch.dtype = torch.bfloat16) -> Path:
    """Write a variant with its tokenizer and processor settings to `folder` and return it."""
    if name in tiny_gemma3.VARIANTS:
        return tiny_gemma3.write(folder, tiny_gemma3.VARIANTS[name]())
    with drafters_allowed():
        made = VARIANTS[name]()
        tiny_checkpoint.randomize(made)
        made.generation_config = GENERATION
        made.to(dtype).save_pretrained(folder)
    if name == "unified":
        settings = folder / "generation_config.json"
        values = json.loads(settings.read_text(encoding="utf-8"))
        settings.write_text(json.dumps(values | {"suppress_tokens": [9, 10]}), encoding="utf-8")
    tiny_checkpoint.tokenizer().save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PICTURE), encoding="utf-8")
    return folder


@contextmanager
def drafters_allowed() -> Iterator[None]:
    """Let transformers 5.23 build a drafter: its check refuses a model all of whose layers share keys and values."""
    with pytest.MonkeyPatch.context() as patch:
        for config in (Gemma4TextConfig, Gemma4UnifiedTextConfig):
            usual = config.kv_sharing_modes.fget
            patch.setattr(config, "kv_sharing_modes", property(_modes(usual)))
        yield


def _modes(usual: Callable[[Any], list[str | None]]) -> Callable[[Any], list[str | None]]:
    def modes(config: Any) -> list[str | None]:
        every = config.num_hidden_layers
        return ["reuse"] * every if config.num_kv_shared_layers == every else usual(config)

    return modes


def rename(source: Path, folder: Path, change: Callable[[str], str]) -> Path:
    """Copy a checkpoint with other names for its tensors, as other tools write them."""
    folder.mkdir(parents=True)
    for path in source.iterdir():
        if path.suffix in (".json", ".jinja", ".model"):
            (folder / path.name).write_bytes(path.read_bytes())
    weights = {change(name): tensor for name, tensor in load_file(source / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder
