"""Adapters on 12B Unified, Gemma 3 and Gemma 3n: merged at least as exactly as peft does it, tensor by tensor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from oracles import peft_merge
from oracles.our_merge import our_merge
from safetensors.torch import load_file

Made = Callable[[str], Path]
WEIGHTS = "adapter_model.safetensors"
# 12B's vision embedder and the way into the language model, by their names inside transformers.
EMBEDDERS = r".*(patch_dense|embedding_projection)"
# The expression that Axolotl's examples have, with its dots for any character.
AXOLOTL = r"model.language_model.layers.[\d]+.(_checkpoint_wrapped_module.)?(mlp|self_attn).(up|down|gate|q|k|v|o)_proj"
# What Unsloth makes of its switches for vision, language, attention and feed-forward layers, in short.
UNSLOTH = r".*?(?:vision|language).*?(?:self_attn|mlp).*?(?:q_proj|k_proj|v_proj|o_proj|out_proj|gate_proj|up_proj|fc1)"
SIGLIP = r".*vision_tower.*\.(q_proj|k_proj|v_proj|out_proj|fc1|fc2)"
KINDS: dict[str, dict[str, dict[str, Any]]] = {
    "unified": {
        "axolotl": {"target_modules": AXOLOTL},
        "embedders": {"target_modules": EMBEDDERS, "bias": "all"},
        "embedders, dora": {"target_modules": EMBEDDERS, "use_dora": True, "use_rslora": True},
        "whole embedder": {"modules_to_save": ["embed_vision", "embed_audio"]},
        "whole projection": {"modules_to_save": ["multimodal_embedder"]},
        "all linear": {"target_modules": "all-linear"},
        "tokens": {"trainable_token_indices": [3, 319]},
    },
    "gemma3": {
        "axolotl": {"target_modules": AXOLOTL},
        "unsloth": {"target_modules": UNSLOTH},
        "tower, dora": {"target_modules": SIGLIP, "use_dora": True},
        "tower, biases": {"target_modules": SIGLIP, "bias": "all"},
        "patches and positions": {"target_modules": r".*(patch_embedding|position_embedding)"},
        "whole projector": {"modules_to_save": ["multi_modal_projector", "post_layernorm"]},
        "whole embeddings": {"modules_to_save": ["embed_tokens"], "ensure_weight_tying": True},
    },
    "gemma3-text": {
        "all linear": {"target_modules": "all-linear", "use_rslora": True},
        "patterns": {"target_modules": "all-linear", "rank_pattern": {"q_proj": 2}, "alpha_pattern": {"o_proj": 9}},
        "dora": {"target_modules": ["q_proj", "down_proj"], "use_dora": True},
        "norms": {"modules_to_save": ["q_norm", "input_layernorm"]},
        "tokens": {"trainable_token_indices": [3, 319]},
    },
    "gemma3n": {
        # laurel and altup are linear layers too.
        "all linear": {"target_modules": "all-linear"},
        "dora": {"target_modules": ["q_proj", "linear_left", "per_layer_projection"], "use_dora": True},
        "embeddings per layer": {"target_modules": ["embed_tokens_per_layer"]},
        "whole": {"modules_to_save": ["per_layer_model_projection", "altup"]},
    },
}
CASES = [(name, kind) for name, kinds in KINDS.items() for kind in kinds]
# A sum that float32 rounds onto the middle between two 16-bit numbers may then go either way, on both sides.
TIE = 1 + 1e-9


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_no_tensor_is_farther_from_the_exact_merge_than_pefts(
    name: str, kind: str, checkpoint: Made, tmp_path: Path
) -> None:
    base = checkpoint(name)
    settings = {"target_modules": ["q_proj", "down_proj"]} | KINDS[name][kind]
    adapter = peft_merge.make_adapter(base, tmp_path / "adapter", **settings)
    truth = peft_merge.saved_weights(base, [adapter], tmp_path / "truth", torch.float64)
    theirs = peft_merge.saved_weights(base, [adapter], tmp_path / "peft")
    weights = load_file(base / "model.safetensors")
    tensors = {key for key, tensor in truth.items() if not torch.equal(tensor, weights[key].double())}
    ours = our_merge(base, [adapter])
    assert tensors
    assert tensors == {entry.tensor for entry in ours.ledger if entry.relative_change}
    for tensor in tensors:
        exact = truth[tensor].numpy()
        theirs_off = np.linalg.norm(theirs[tensor].double().numpy() - exact)
        assert np.linalg.norm(ours.written[tensor] - exact) <= theirs_off * TIE, tensor
        assert np.linalg.norm(ours.exact[tensor] - exact) <= 1e-14 * np.linalg.norm(exact), tensor
    assert {entry.key for entry in ours.ledger} == load_file(adapter / WEIGHTS).keys()
