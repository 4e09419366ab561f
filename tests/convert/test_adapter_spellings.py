"""The keys that trainers write: Unsloth, Axolotl, older releases of peft and transformers, and wrappers around them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from oracles import peft_merge
from oracles.our_merge import our_merge
from peft import PeftModel
from safetensors.torch import load_file, save_file

from edgekit.errors import AdapterError, FileError

Made = Callable[[str], Path]
Respell = Callable[[str], str]

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
PREFIX = "base_model.model.model.language_model."
TOWERS = r".*(vision_tower|audio_tower)\..*\.linear"
SPELLINGS: dict[str, Respell] = {
    # torch.save of a whole model keeps the adapter's name; so did peft once.
    "with the usual name": lambda key: key.replace(".weight", ".default.weight"),
    "with a name of its own": lambda key: key.replace(".weight", ".french.weight"),
    "sharded by FSDP": lambda key: key.replace("layers.", "_fsdp_wrapped_module.layers."),
    "checkpointed, as Axolotl's expression allows": lambda key: re.sub(
        r"(layers\.\d+)", r"\1._checkpoint_wrapped_module", key
    ),
    "compiled": lambda key: key.replace("base_model.model.", "base_model.model._orig_mod."),
    "without peft's prefix": lambda key: key.replace("base_model.model.", ""),
    "trained on the text model alone": lambda key: key.replace(PREFIX, "base_model.model.model."),
    "as transformers 4 nested it": lambda key: key.replace(PREFIX, "base_model.model.language_model.model."),
}


@pytest.fixture(scope="module")
def plain(checkpoint: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return peft_merge.make_adapter(checkpoint("tiny"), tmp_path_factory.mktemp("spellings") / "plain")


def respell(adapter: Path, folder: Path, change: Respell) -> Path:
    folder.mkdir()
    (folder / CONFIG).write_bytes((adapter / CONFIG).read_bytes())
    weights = {change(key): tensor for key, tensor in load_file(adapter / WEIGHTS).items()}
    save_file(weights, folder / WEIGHTS)
    return folder


def configure(adapter: Path, **settings: object) -> None:
    path = adapter / CONFIG
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


@pytest.mark.parametrize("kind", SPELLINGS)
def test_a_spelling_changes_nothing(kind: str, plain: Path, checkpoint: Made, tmp_path: Path) -> None:
    usual = our_merge(checkpoint("tiny"), [plain])
    spelled = our_merge(checkpoint("tiny"), [respell(plain, tmp_path / "adapter", SPELLINGS[kind])])
    assert spelled.exact.keys() == usual.exact.keys()
    assert len(usual.exact) == 36
    for name, exact in usual.exact.items():
        assert np.array_equal(spelled.exact[name], exact), name


def test_clipped_layers_are_found_by_either_name(checkpoint: Made, tmp_path: Path) -> None:
    # Unsloth's own merge takes both: https://github.com/unslothai/unsloth/issues/4807
    inner = peft_merge.make_adapter(checkpoint("tiny"), tmp_path / "inner", target_modules=TOWERS)
    outer = respell(inner, tmp_path / "outer", lambda key: key.replace(".linear.", "."))
    usual, spelled = (our_merge(checkpoint("tiny"), [adapter]) for adapter in (inner, outer))
    assert spelled.exact.keys() == usual.exact.keys()
    assert all(np.array_equal(spelled.exact[name], exact) for name, exact in usual.exact.items())


def test_the_state_of_the_whole_model_is_an_adapter(checkpoint: Made, tmp_path: Path) -> None:
    """Sharded training may save everything: frozen weights, those below the adapter, and copies from before it."""
    base = checkpoint("single")
    settings = {"target_modules": ["q_proj", "up_proj"], "exclude_modules": r".*(vision|audio).*"}
    usual = peft_merge.make_adapter(base, tmp_path / "usual", **settings, modules_to_save=["post_attention_layernorm"])
    model = PeftModel.from_pretrained(peft_merge.load(base, torch.float32), usual)
    state = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    assert {part for key in state for part in ("original_module", "base_layer", "lora_A.default") if part in key} == {
        "original_module",
        "base_layer",
        "lora_A.default",
    }
    whole = tmp_path / "whole"
    whole.mkdir()
    (whole / CONFIG).write_bytes((usual / CONFIG).read_bytes())
    save_file(state, whole / WEIGHTS)
    one, other = our_merge(base, [usual]), our_merge(base, [whole])
    assert {entry.key for entry in other.ledger} == state.keys()
    assert "refused" not in {entry.status for entry in other.ledger}
    weights = load_file(base / "model.safetensors")
    for name, exact in other.exact.items():
        expected = one.exact.get(name, weights[name].double().numpy() if name in weights else None)
        assert np.array_equal(exact, expected), name
    assert one.exact.keys() <= other.exact.keys() <= weights.keys()


@pytest.fixture(scope="module")
def experts(checkpoint: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an adapter with peft's keys for both matrices of the experts, as Axolotl saves it too."""
    settings = {"target_modules": [], "target_parameters": ["experts.gate_up_proj", "experts.down_proj"]}
    return peft_merge.make_adapter(checkpoint("experts"), tmp_path_factory.mktemp("experts") / "adapter", **settings)


def lora(adapter: Path, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return layer 1's A and B that fit a weight."""
    found = {key: tensor.double() for key, tensor in load_file(adapter / WEIGHTS).items() if ".layers.1." in key}
    a = next(tensor for key, tensor in found.items() if "lora_A" in key and weight.shape[2] in tensor.shape[1:])
    b = next(tensor for key, tensor in found.items() if "lora_B" in key and tensor.shape[0] == weight.shape[1])
    return a, b


@pytest.mark.parametrize("parameter", ["gate_up_proj", "down_proj"])
def test_unsloth_orders_the_columns_of_experts_by_expert(
    parameter: str, experts: Path, checkpoint: Made, tmp_path: Path
) -> None:
    # saving_utils.py of unsloth_zoo: lora_B[:, e * r : (e + 1) * r] @ lora_A[e * r : (e + 1) * r]
    base = checkpoint("experts")
    adapter = respell(experts, tmp_path / "adapter", lambda key: key)
    configure(adapter, auto_mapping={"base_model_class": "Gemma4ForConditionalGeneration", "unsloth_fixed": True})
    name = f"model.language_model.layers.1.experts.{parameter}"
    weight = load_file(base / "model.safetensors")[name].double()
    a, b = lora(adapter, weight)
    rank = len(a) // len(weight)
    truth = torch.stack(
        [
            matrix + 6 / 4 * (b[:, expert * rank : (expert + 1) * rank] @ a[expert * rank : (expert + 1) * rank])
            for expert, matrix in enumerate(weight)
        ]
    )
    ours = our_merge(base, [adapter])
    assert np.allclose(ours.exact[name], truth.numpy(), rtol=1e-13, atol=1e-13)
    assert not np.allclose(ours.exact[name], our_merge(base, [experts]).exact[name], rtol=1e-3, atol=1e-3)
    assert all("Unsloth" in (entry.reason or "") for entry in ours.ledger)


@pytest.mark.parametrize("parameter", ["gate_up_proj", "down_proj"])
def test_peft_before_0_19_exchanged_the_sides_of_experts(parameter: str, checkpoint: Made, tmp_path: Path) -> None:
    # ParamWrapper.get_delta_weight there: einsum("o r e, e r i -> e i o", B, A)
    base = checkpoint("experts")
    name = f"model.language_model.layers.1.experts.{parameter}"
    weight = load_file(base / "model.safetensors")[name].double()
    count, height, width = weight.shape
    dice = torch.Generator().manual_seed(7)
    a, b = torch.randn(4 * count, height, generator=dice), torch.randn(width, 4 * count, generator=dice)
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / CONFIG).write_text(json.dumps({"peft_type": "LORA", "r": 4, "lora_alpha": 6, "peft_version": "0.18.0"}))
    inside = "base_model.model.model.language_model.layers.1.experts.lora_{}.weight"
    save_file({inside.format("A"): a, inside.format("B"): b}, adapter / WEIGHTS)
    product = torch.einsum("ore,eri->eio", b.double().reshape(width, 4, count), a.double().reshape(count, 4, height))
    ours = our_merge(base, [adapter])
    assert np.allclose(ours.exact[name], (weight + 6 / 4 * product).numpy(), rtol=1e-13, atol=1e-12)


def test_no_layer_of_gemma_is_stored_transposed(plain: Path, checkpoint: Made, tmp_path: Path) -> None:
    # peft takes fan_in_fan_out back where a layer is torch's Linear, which all of them are.
    adapter = respell(plain, tmp_path / "adapter", lambda key: key)
    configure(adapter, fan_in_fan_out=True)
    truth = peft_merge.merged_weights(checkpoint("tiny"), [adapter], torch.float64)
    ours = our_merge(checkpoint("tiny"), [adapter])
    for name, exact in ours.exact.items():
        assert np.allclose(exact, truth[name].numpy(), rtol=1e-13, atol=1e-13), name


def test_two_adapters_in_one_file_are_not_mixed(plain: Path, checkpoint: Made, tmp_path: Path) -> None:
    adapter = respell(plain, tmp_path / "adapter", lambda key: key)
    weights = load_file(adapter / WEIGHTS)
    save_file(
        weights | {key.replace(".weight", ".other.weight"): t.clone() for key, t in weights.items()}, adapter / WEIGHTS
    )
    with pytest.raises(AdapterError, match="two adapters"):
        our_merge(checkpoint("tiny"), [adapter])


def test_an_adapter_in_a_folder_of_its_name_is_pointed_to(plain: Path, checkpoint: Made, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    respell(plain, folder / "french", lambda key: key)
    with pytest.raises(FileError, match="french"):
        our_merge(checkpoint("tiny"), [folder])
