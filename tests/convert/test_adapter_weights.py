"""Adapters with weights, token embeddings and output layer apart, and keys that fit nowhere."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from oracles import peft_merge
from oracles.our_merge import OurMerge, our_merge
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import Gemma4ForConditionalGeneration

from edgekit.convert.job import ConvertJob, convert
from edgekit.errors import AdapterError

Made = Callable[[str], Path]
Command = Callable[..., "subprocess.CompletedProcess[str]"]

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
HEAD = "lm_head.weight"
EMBEDDINGS = "model.language_model.embed_tokens.weight"
NO_TOWERS = r".*(vision|audio).*"
# Where peft's merge adds to the one weight what in training was added to one of its two uses.
UNTIED: dict[str, dict[str, Any]] = {
    "embeddings": {"target_modules": ["embed_tokens"]},
    "embeddings, dora": {"target_modules": ["embed_tokens"], "use_dora": True},
    "output layer": {"target_modules": ["q_proj", "lm_head"], "exclude_modules": NO_TOWERS},
    "tied": {"target_modules": ["embed_tokens"], "ensure_weight_tying": True},
    "tokens of each": {"trainable_token_indices": {"embed_tokens": [3, 7], "lm_head": [5]}},
    "tokens of the output layer": {"trainable_token_indices": {"lm_head": [5]}},
    "tokens of both": {"trainable_token_indices": {"embed_tokens": [3, 7], "lm_head": [3, 7]}},
    "whole embeddings": {"modules_to_save": ["embed_tokens"]},
}


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        found = model(input_ids=torch.tensor([[2, 3, 5, 7, 9, 11]])).logits
    assert isinstance(found, torch.Tensor)
    return found


@pytest.mark.parametrize("kind", UNTIED)
def test_the_merge_computes_what_the_adapter_computed_in_training(kind: str, checkpoint: Made, tmp_path: Path) -> None:
    base = checkpoint("tiny")
    adapter = peft_merge.make_adapter(base, tmp_path / "adapter", **UNTIED[kind])
    running = PeftModel.from_pretrained(
        Gemma4ForConditionalGeneration.from_pretrained(base, dtype=torch.float64), adapter
    )
    merged = Gemma4ForConditionalGeneration.from_pretrained(base, dtype=torch.float64)
    before = logits(merged)
    ours = our_merge(base, [adapter]).exact
    if HEAD in ours or (EMBEDDINGS in ours and "tied" not in kind and "tokens of both" not in kind):
        merged.lm_head.weight = torch.nn.Parameter(merged.lm_head.weight.clone())
    weights = dict(merged.named_parameters())
    with torch.no_grad():
        for name, exact in ours.items():
            weights[name].copy_(torch.from_numpy(exact))
    expected = logits(running)
    assert (logits(merged) - expected).abs().max() <= 1e-10 * expected.abs().max()
    assert (before - expected).abs().max() > 1e-3


@pytest.fixture(scope="module")
def adapters(checkpoint: Made, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("weights")
    kinds: dict[str, dict[str, Any]] = {
        "plain": {},
        "dora": {"use_dora": True, "seed": 2},
        "whole": {"modules_to_save": ["embed_tokens"], "ensure_weight_tying": True, "seed": 3},
        "tokens": {"trainable_token_indices": [3, 9], "seed": 4},
    }
    return {
        name: peft_merge.make_adapter(checkpoint("tiny"), folder / name, **settings) for name, settings in kinds.items()
    }


def changes(merge: OurMerge, base: Path) -> dict[str, np.ndarray[Any, Any]]:
    weights = load_file(base / "model.safetensors")
    return {name: exact - weights[name].double().numpy() for name, exact in merge.exact.items()}


def test_half_an_adapter_makes_half_its_change_and_several_add_up(adapters: dict[str, Path], checkpoint: Made) -> None:
    base = checkpoint("tiny")
    names, weights = list(adapters), (0.5, -2.0, 0.25, 1.0)
    alone = [changes(our_merge(base, [adapters[name]]), base) for name in names]
    together = changes(our_merge(base, [adapters[name] for name in names], weights), base)
    reverse = changes(our_merge(base, [adapters[name] for name in names[::-1]], weights[::-1]), base)
    assert together.keys() == {tensor for made in alone for tensor in made}
    for tensor, change in together.items():
        expected = sum(weight * made[tensor] for weight, made in zip(weights, alone, strict=True) if tensor in made)
        assert np.allclose(change, expected, rtol=1e-12, atol=1e-13), tensor
        assert np.allclose(change, reverse[tensor], rtol=1e-12, atol=1e-13), tensor


def test_half_a_plain_adapter_is_one_of_half_its_alpha(
    adapters: dict[str, Path], checkpoint: Made, tmp_path: Path
) -> None:
    base, folder = checkpoint("tiny"), tmp_path / "half"
    folder.mkdir()
    (folder / WEIGHTS).write_bytes((adapters["plain"] / WEIGHTS).read_bytes())
    settings = json.loads((adapters["plain"] / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps(settings | {"lora_alpha": 3}))
    truth = peft_merge.merged_weights(base, [folder], torch.float64)
    theirs = peft_merge.merged_weights(base, [folder])
    ours = our_merge(base, [adapters["plain"]], [0.5])
    for tensor, written in ours.written.items():
        exact = truth[tensor].numpy()
        theirs_off = np.linalg.norm(theirs[tensor].double().numpy() - exact)
        assert np.linalg.norm(written - exact) <= theirs_off * (1 + 1e-9), tensor
    assert {entry.scale for entry in ours.ledger} == {0.75}


@pytest.mark.parametrize("weight", [0.0, math.nan, math.inf])
def test_a_weight_that_is_none_is_refused(weight: float, adapters: dict[str, Path], checkpoint: Made) -> None:
    with pytest.raises(AdapterError, match=r"plain cannot be merged with weight"):
        our_merge(checkpoint("tiny"), [adapters["plain"]], [weight])


def spoiled(adapter: Path, folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> Path:
    folder.mkdir()
    (folder / CONFIG).write_bytes((adapter / CONFIG).read_bytes())
    weights = load_file(adapter / WEIGHTS)
    change(weights)
    save_file(weights, folder / WEIGHTS)
    return folder


INSIDE = "base_model.model.model.language_model.layers.0.mlp.up_proj."


def foreign(weights: dict[str, torch.Tensor]) -> None:
    for half in "AB":
        weights[f"base_model.model.model.layers.99.mlp.up_proj.lora_{half}.weight"] = torch.ones(4, 4)


SPOILED: dict[str, tuple[str, Callable[[dict[str, torch.Tensor]], object], str]] = {
    "foreign": ("plain", foreign, r"layers\.99.*fits none"),
    "bias": ("plain", lambda w: w.update({f"{INSIDE}lora_B.bias": torch.ones(80)}), "lora_B.bias.*has none"),
    "width": ("plain", lambda w: w.update({f"{INSIDE}lora_A.weight": torch.ones(4, 7)}), r"\[4, 7\] does not fit"),
    "half": ("plain", lambda w: w.pop(f"{INSIDE}lora_B.weight"), "lora_A.*lora_B, its other half, is missing"),
    "magnitude": ("dora", lambda w: w.pop(f"{INSIDE}lora_magnitude_vector"), "lora_magnitude_vector is missing"),
    "length": ("dora", lambda w: w.update({f"{INSIDE}lora_magnitude_vector": torch.ones(7)}), "7 values where 80"),
    "no dora": ("plain", lambda w: w.update({f"{INSIDE}lora_magnitude_vector": torch.ones(80)}), "it is of DoRA"),
    "vocabulary": (
        "whole",
        lambda w: w.update({f"base_model.model.{EMBEDDINGS}": torch.ones(319, 96)}),
        r"embed_tokens.*\[319, 96\] does not fit",
    ),
}


@pytest.mark.parametrize("kind", SPOILED)
def test_a_key_that_fits_nowhere_stops_the_merge_unless_it_may_be_left_out(
    kind: str, adapters: dict[str, Path], checkpoint: Made, tmp_path: Path
) -> None:
    base = checkpoint("tiny")
    origin, change, message = SPOILED[kind]
    adapter = spoiled(adapters[origin], tmp_path / "spoiled", change)
    with pytest.raises(AdapterError, match=message):
        our_merge(base, [adapter])
    made, whole = our_merge(base, [adapter], allow_unmerged=True), our_merge(base, [adapters[origin]])
    refused = [entry for entry in made.ledger if entry.status == "refused"]
    assert {entry.key for entry in made.ledger} == load_file(adapter / WEIGHTS).keys()
    assert 1 <= len(refused) <= 3
    assert all(entry.tensor is None and entry.reason for entry in refused)
    assert made.exact.keys() <= whole.exact.keys()
    assert all(np.array_equal(exact, whole.exact[tensor]) for tensor, exact in made.exact.items())


def test_nan_is_never_left_out(adapters: dict[str, Path], checkpoint: Made, tmp_path: Path) -> None:
    adapter = spoiled(adapters["plain"], tmp_path / "nan", lambda w: w[f"{INSIDE}lora_B.weight"].fill_(math.nan))
    with pytest.raises(AdapterError, match=r"up_proj\.lora_B\.weight holds NaN"):
        our_merge(checkpoint("tiny"), [adapter], allow_unmerged=True)


def test_an_adapter_of_which_nothing_fits_is_no_adapter_of_this_model(
    adapters: dict[str, Path], checkpoint: Made
) -> None:
    with pytest.raises(AdapterError, match="does not belong to this checkpoint"):
        our_merge(checkpoint("wide"), [adapters["plain"]], allow_unmerged=True)


def test_the_file_and_the_command_say_what_was_merged(
    adapters: dict[str, Path], checkpoint: Made, tmp_path: Path, edgekit: Command
) -> None:
    adapter = spoiled(adapters["plain"], tmp_path / "french", foreign)
    asked = ["convert", checkpoint("tiny"), "--adapter", f"{adapter}=0.5", "--out", tmp_path / "out"]
    assert edgekit(*asked).returncode == 1
    result = edgekit(*asked, "--allow-unmerged", "--quant", "F32", "--projector", "none")
    assert result.returncode == 0, result.stderr
    shown = " ".join(result.stdout.split())
    assert "72 of 74 adapter tensors merged" in shown
    assert "refused: " in shown
    assert "it fits none of the checkpoint's tensors" in shown
    fields = gguf.GGUFReader(next((tmp_path / "out").glob("*.gguf"))).fields
    assert fields["edgekit.adapters"].contents() == ["french"]
    assert fields["edgekit.adapters.weight"].contents() == [0.5]
    assert sum(line.startswith("refused ") for line in fields["edgekit.ledger"].contents()) == 2


def test_an_output_layer_of_its_own_is_written(checkpoint: Made, tmp_path: Path) -> None:
    adapter = peft_merge.make_adapter(checkpoint("tiny"), tmp_path / "adapter", modules_to_save=["lm_head"])
    job = ConvertJob(checkpoint("tiny"), tmp_path / "out", (adapter,), ("F32",), "none")
    reader = gguf.GGUFReader(convert(job).outputs[0].path)
    tensors = {tensor.name: np.array(tensor.data) for tensor in reader.tensors}
    truth = peft_merge.merged_weights(checkpoint("tiny"), [adapter], torch.float64)
    assert np.array_equal(tensors["output.weight"], truth[HEAD].numpy().astype(np.float32))
    assert np.array_equal(tensors["token_embd.weight"], truth[EMBEDDINGS].numpy().astype(np.float32))
