"""llama.cpp computes with our files what transformers computes with the checkpoint."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
import pytest
import torch
import transformers
from oracles import tiny_gemma3
from oracles.reference import Array, divergence, relative_rms
from torch.nn import functional
from transformers.activations import GELUTanh
from transformers.models.gemma3n import modeling_gemma3n

from edgekit.convert.job import ConvertJob, convert
from edgekit.engine import native

Made = Callable[[str], Path]
# Longer than the sliding window.
TOKENS = [2, *(int(token) for token in np.random.default_rng(0).integers(12, 300, 90))]
NAMES = ["dense", "experts", "unified", "text-only", "gemma3", "gemma3-text", "functiongemma"]


def found(path: Path) -> Array:
    """Logits of llama.cpp, with everything in 32 bits but its table of GELU."""
    native.start()
    settings = {"type_k": 0, "type_v": 0, "flash_attn": False, "n_threads": 1, "n_threads_batch": 1}
    model = llama_cpp.Llama(str(path), n_ctx=256, n_batch=256, n_ubatch=256, logits_all=True, verbose=False, **settings)
    model.eval(TOKENS)
    logits = np.array(model.scores[: len(TOKENS)])
    model.close()
    return logits


def gelu_of_ggml(activation: GELUTanh, values: torch.Tensor) -> torch.Tensor:
    """As ggml looks it up (ggml_vec_gelu_f32): by the value's half, in a table of halves, which experts amplify."""
    table = functional.gelu(values.half().float(), approximate="tanh").half().float()
    return torch.where(values <= -10, 0, torch.where(values >= 10, values, table))


@torch.inference_mode()
def wanted(checkpoint: Path) -> Array:
    kind = json.loads((checkpoint / "config.json").read_text())["architectures"][0]
    model = getattr(transformers, kind).from_pretrained(checkpoint, dtype=torch.float32, attn_implementation="eager")
    texts = {"mm_token_type_ids": torch.zeros(1, len(TOKENS), dtype=torch.long)} if "Conditional" in kind else {}
    if kind.startswith("Gemma3"):
        texts = {}
    array: Array = model.eval()(input_ids=torch.tensor([TOKENS]), **texts).logits[0].numpy()
    return array


@pytest.mark.parametrize("name", NAMES)
def test_logits_equal_those_of_transformers(
    name: str, checkpoint: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GELUTanh, "forward", gelu_of_ggml)
    convert(ConvertJob(checkpoint(name), tmp_path, (), ("F32",), "none"))
    mine, theirs = found(next(tmp_path.glob("*.gguf"))), wanted(checkpoint(name))
    assert np.isfinite(mine).all()
    assert relative_rms(mine, theirs) < 1e-3
    assert divergence(mine[-1], theirs[-1]) < 1e-6


class DeviationOfGgml:
    """torch, in which the deviation of 80 values divides by 79, as in llama.cpp; no matter for 16,384 of a release."""

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)

    def std(self, values: torch.Tensor, *, unbiased: bool, **where: Any) -> torch.Tensor:
        assert not unbiased
        return torch.std(values, unbiased=True, **where)


def test_gemma_3n_computes_what_transformers_does_but_for_two_formulas_of_ggml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As transformers 5 saves it, without the keys and values that no layer uses, which llama.cpp wants all the same.
    # What its sparse layers leave of a gate is small, and shows what larger weights would hide in noise.
    checkpoint = tiny_gemma3.write(tmp_path / "model", tiny_gemma3.gemma3n(), shared_kv=False, spread=0.03)
    convert(ConvertJob(checkpoint, tmp_path / "out", (), ("F32",), "none"))
    mine, plain = found(next((tmp_path / "out").glob("*.gguf"))), wanted(checkpoint)
    monkeypatch.setattr(GELUTanh, "forward", gelu_of_ggml)
    monkeypatch.setattr(modeling_gemma3n, "torch", DeviationOfGgml())
    theirs = wanted(checkpoint)
    assert relative_rms(mine, theirs) < 1e-2
    assert divergence(mine[-1], theirs[-1]) < 1e-5
    # Those two are the difference, and there is one.
    assert relative_rms(mine, plain) > 10 * relative_rms(mine, theirs)


@pytest.mark.parametrize("name", ["drafter", "unified-drafter"])
def test_a_drafter_is_loaded(name: str, checkpoint: Made, tmp_path: Path) -> None:
    result = convert(ConvertJob(checkpoint(name), tmp_path, (), ("Q8_0",)))
    assert [output.kind for output in result.outputs] == ["drafter"]
    native.start()
    model = llama_cpp.llama_model_load_from_file(
        str(result.outputs[0].path).encode(), llama_cpp.llama_model_default_params()
    )
    assert model
    assert llama_cpp.llama_model_n_embd(model) == 96
    llama_cpp.llama_model_free(model)
