"""Every kind of LoRA adapter: merged at least as exactly as peft does it, tensor by tensor, and written as merged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from oracles import peft_merge
from oracles.our_merge import our_merge
from safetensors.torch import load_file

Made = Callable[[str], Path]

TOWERS = r".*(vision_tower|audio_tower)\..*\.linear|.*embed_(vision|audio)\.embedding_projection"
AUDIO_OUTPUT = r".*audio_tower\.output_proj"
EXPERTS = ["experts.gate_up_proj", "experts.down_proj"]
# What peft merges as it runs: there its own merge in double precision is the truth.
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "rslora": {"use_rslora": True},
    "patterns": {"rank_pattern": {"layers.1.mlp.up_proj": 7, "q_proj": 2}, "alpha_pattern": {r".*\.o_proj": 9}},
    "dora": {"use_dora": True},
    "dora, rslora, towers": {"use_dora": True, "use_rslora": True, "target_modules": TOWERS},
    "all linear": {"target_modules": "all-linear"},
    "biases": {"target_modules": AUDIO_OUTPUT, "bias": "all"},
    "biases of the trained": {"target_modules": AUDIO_OUTPUT, "bias": "lora_only"},
    "biases of B": {"target_modules": AUDIO_OUTPUT, "lora_bias": True},
    "convolution": {"target_modules": r".*layer[01]\.conv"},
    "convolution, dora": {"target_modules": r".*layer[01]\.conv", "use_dora": True},
    "embeddings": {"modules_to_save": ["embed_tokens"]},
    "output layer": {"modules_to_save": ["lm_head"]},
    "both": {"modules_to_save": ["embed_tokens", "lm_head"]},
    "both, tied": {"modules_to_save": ["embed_tokens", "lm_head"], "ensure_weight_tying": True},
    "norms and projections": {"modules_to_save": ["embed_vision", "post_attention_layernorm"]},
    "a tower": {"modules_to_save": ["vision_tower"]},
    "tokens": {"trainable_token_indices": [3, 9, 7, 319]},
    "tokens per layer": {"trainable_token_indices": {"embed_tokens_per_layer": [0, 8], "embed_tokens": [8]}},
    "embeddings per layer": {"target_modules": r".*embed_tokens_per_layer"},
    "embeddings per layer, dora": {"target_modules": r".*embed_tokens_per_layer", "use_dora": True},
}
ON_EXPERTS: dict[str, dict[str, Any]] = {
    "experts": {"target_parameters": EXPERTS},
    "experts, patterns": {"target_parameters": EXPERTS, "rank_pattern": {r".*experts\.down_proj": 2}},
    "experts alone": {"target_modules": [], "target_parameters": ["experts.down_proj"], "use_rslora": True},
    "router": {"target_modules": r".*router\.proj"},
}
CASES = [
    *(("tiny", kind) for kind in KINDS),
    *(("single", kind) for kind in ("plain", "dora", "embeddings per layer, dora")),
    *(("experts", kind) for kind in ON_EXPERTS),
]
# A sum that float32 rounds onto the middle between two 16-bit numbers may then go either way, on both sides.
TIE = 1 + 1e-9


def changed(base: Path, merged: dict[str, torch.Tensor]) -> Iterator[str]:
    """Yield the tensors of a merge that are not the base's; an output layer that is no longer tied is one."""
    weights = {key: tensor for path in base.glob("*.safetensors") for key, tensor in load_file(path).items()}
    embeddings = "model.language_model.embed_tokens.weight"
    for name, tensor in merged.items():
        if name == "lm_head.weight" and torch.equal(tensor, merged[embeddings]):
            continue
        if name in weights and not torch.equal(tensor.double(), weights[name].double()):
            yield name
        if name == "lm_head.weight" and not torch.equal(tensor.double(), weights[embeddings].double()):
            yield name


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_no_tensor_is_farther_from_the_exact_merge_than_pefts(
    name: str, kind: str, checkpoint: Made, tmp_path: Path
) -> None:
    base = checkpoint(name)
    adapter = peft_merge.make_adapter(base, tmp_path / "adapter", **(KINDS | ON_EXPERTS)[kind])
    truth = peft_merge.merged_weights(base, [adapter], torch.float64)
    theirs = peft_merge.merged_weights(base, [adapter])
    ours = our_merge(base, [adapter])
    tensors = set(changed(base, truth))
    assert tensors
    assert tensors == {entry.tensor for entry in ours.ledger if entry.relative_change}
    for tensor in tensors:
        exact = truth[tensor].numpy()
        theirs_off = np.linalg.norm(theirs[tensor].double().numpy() - exact)
        assert np.linalg.norm(ours.written[tensor] - exact) <= theirs_off * TIE, tensor
        assert np.linalg.norm(ours.single[tensor] - exact) <= theirs_off * TIE, tensor
        assert np.linalg.norm(ours.exact[tensor] - exact) <= 1e-14 * np.linalg.norm(exact), tensor
    keys = load_file(adapter / "adapter_model.safetensors").keys()
    assert {entry.key for entry in ours.ledger} == keys
