"""Merged adapters against peft: as near to the merge in double precision as peft's own, tensor by tensor, or nearer."""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from oracles import peft_merge
from oracles.tiny_checkpoint import SHAPES
from safetensors.torch import load_file, save_file

from edgekit import paths
from edgekit.convert.job import ConvertJob, ConvertResult, convert

Made = Callable[[str], Path]
Array = np.ndarray[Any, np.dtype[np.float64]]

# All linear layers of both towers; peft reaches the matrix inside a clipped layer by its inner name.
TOWER_TARGETS = r".*(vision_tower|audio_tower)\..*\.linear|.*embed_(vision|audio)\.embedding_projection"
TEXT = gguf.get_tensor_name_map(gguf.MODEL_ARCH.GEMMA4, 8)
TOWERS = gguf.get_tensor_name_map(gguf.MODEL_ARCH.MMPROJ, 8)
# A sum that float32 rounds onto the middle between two 16-bit numbers may then go either way, on both sides.
TIE = 1 + 1e-9
KINDS: dict[str, list[dict[str, Any]]] = {
    "plain": [{}],
    "rslora": [{"use_rslora": True}],
    "patterns": [{"rank_pattern": {"layers.1.mlp.up_proj": 7, "q_proj": 2}, "alpha_pattern": {r".*\.o_proj": 9}}],
    "towers": [{"target_modules": TOWER_TARGETS}],
    "two": [{"seed": 2}, {"seed": 3, "r": 3, "target_modules": r".*language_model.*\.(q_proj|gate_proj)"}],
}


@dataclass(frozen=True)
class Merged:
    """What both sides made of a checkpoint and its adapters."""

    result: ConvertResult
    # Of the merge in double precision, by GGUF name.
    exact: dict[str, Array]
    ours: dict[str, Array]
    peft: dict[str, Array]


def values(folder: Path, quantization: str) -> dict[str, Array]:
    """Read every matrix of the files of one quantization, as numbers."""
    found = {}
    for path in folder.glob(f"*{quantization}.gguf"):
        for tensor in gguf.GGUFReader(path).tensors:
            wide = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
            found[tensor.name] = wide.astype(np.float64).reshape(wide.shape[0], -1)
    return found


def gguf_name(tensor: str) -> str:
    """Find a weight's GGUF name by gguf's own tables, as llama.cpp's converter does."""
    plain = tensor.removesuffix(".weight").removesuffix(".linear")
    plain = plain.replace("model.audio_tower.", "conformer.").replace(
        "model.vision_tower.encoder.", "vision_model.model."
    )
    name = TEXT.get_name(plain.replace("language_model.", "")) if "language_model" in plain else TOWERS.get_name(plain)
    assert name is not None, tensor
    return f"{name}.weight"


def scale_of(config: dict[str, Any], module: str) -> float:
    """Compute a module's scale from adapter_config.json, by peft's documentation."""

    def value(setting: str, default: float) -> float:
        patterns = config[setting]
        return next((patterns[key] for key in patterns if re.match(rf"(.*\.)?({key})$", module)), default)

    rank, alpha = value("rank_pattern", config["r"]), value("alpha_pattern", config["lora_alpha"])
    return alpha / math.sqrt(rank) if config["use_rslora"] else alpha / rank


def exact_merge(checkpoint: Path, adapters: Sequence[Path]) -> dict[str, Array]:
    """Merge in double precision with numpy, by the formula W + scale * B @ A."""
    weights = {key: tensor for path in checkpoint.glob("*.safetensors") for key, tensor in load_file(path).items()}
    merged: dict[str, Array] = {}
    for adapter in adapters:
        config = json.loads((adapter / "adapter_config.json").read_text())
        lora = {
            key: tensor.double().numpy() for key, tensor in load_file(adapter / "adapter_model.safetensors").items()
        }
        for key in (key for key in lora if ".lora_A." in key):
            module = key.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
            weight = merged.get(f"{module}.weight", weights[f"{module}.weight"].double().numpy())
            merged[f"{module}.weight"] = weight + scale_of(config, module) * (
                lora[key.replace("_A.", "_B.")] @ lora[key]
            )
    return {gguf_name(tensor): weight for tensor, weight in merged.items()}


@pytest.fixture(scope="module")
def merged(checkpoint: Made, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str, str], Merged]:
    """Return what both sides make of a checkpoint with a kind of adapter, in one quantization."""
    made: dict[tuple[str, str], tuple[Path, list[Path]]] = {}

    @functools.cache
    def make(name: str, kind: str, quantization: str) -> Merged:
        base = checkpoint(name)
        if (name, kind) not in made:
            folder = tmp_path_factory.mktemp(f"{name}-{kind}")
            adapters = [
                peft_merge.make_adapter(base, folder / f"adapter-{number}", **settings)
                for number, settings in enumerate(KINDS.get(kind, []))
            ] or [paths.demo_adapter()]
            peft_merge.merge(base, adapters, folder / "peft")
            made[name, kind] = folder, adapters
        folder, adapters = made[name, kind]
        result = convert(ConvertJob(base, folder / "ours", tuple(adapters), (quantization,), quantization))
        convert(ConvertJob(folder / "peft", folder / "theirs", (), (quantization,), quantization))
        exact = exact_merge(base, adapters)
        return Merged(result, exact, values(folder / "ours", quantization), values(folder / "theirs", quantization))

    return make


@pytest.mark.parametrize("quantization", ["F32", "BF16"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_merge_is_as_exact_as_pefts_or_more(kind: str, quantization: str, merged: Callable[..., Merged]) -> None:
    found = merged("tiny", kind, quantization)
    assert len(found.exact) >= 10
    for name, exact in found.exact.items():
        ours, theirs = (np.linalg.norm(side[name] - exact) for side in (found.ours, found.peft))
        assert ours <= theirs * TIE, (name, ours, theirs)
        # As near as the type allows, which no wrong scale could be.
        assert ours <= np.linalg.norm(exact) * (1e-7 if quantization == "F32" else 3e-3), name


@pytest.mark.parametrize(
    ("name", "kind", "quantization"),
    [("single", "plain", "F32"), ("pico", "bundled", "F32"), ("pico", "bundled", "BF16")],
)
def test_so_is_one_in_single_precision_and_the_bundled_one(
    name: str, kind: str, quantization: str, merged: Callable[..., Merged]
) -> None:
    found = merged(name, kind, quantization)
    assert len(found.exact) >= 10
    for tensor, exact in found.exact.items():
        ours, theirs = (np.linalg.norm(side[tensor] - exact) for side in (found.ours, found.peft))
        assert ours <= theirs * TIE, (tensor, ours, theirs)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_but_the_adapted_tensors_changes(kind: str, merged: Callable[..., Merged]) -> None:
    found = merged("tiny", kind, "F32")
    assert found.ours.keys() == found.peft.keys()
    for name in found.ours.keys() - found.exact.keys():
        assert np.array_equal(found.ours[name], found.peft[name], equal_nan=True), name


@pytest.mark.parametrize("kind", KINDS)
def test_the_ledger_lists_every_key_with_its_scale_and_change(
    kind: str, merged: Callable[..., Merged], checkpoint: Made
) -> None:
    found = merged("tiny", kind, "F32")
    base = {gguf_name(key): tensor for key, tensor in _matrices(checkpoint("tiny")).items()}
    total: dict[str, float] = {}
    for entry in found.result.ledger:
        assert entry.tensor is not None
        name = gguf_name(entry.tensor)
        weight = base[name].double().numpy()
        if kind != "two":
            expected = np.linalg.norm(found.exact[name] - weight) / np.linalg.norm(weight)
            assert entry.relative_change == pytest.approx(expected, rel=1e-6)
        total[name] = total.get(name, 0) + 1
        assert entry.status == "merged"
        assert entry.scale > 0
    assert total.keys() == found.exact.keys()
    assert len({(entry.adapter, entry.key) for entry in found.result.ledger}) == len(found.result.ledger)


def _matrices(checkpoint: Path) -> dict[str, torch.Tensor]:
    known = re.compile(r".*(_proj|_layer_\d|\.post|linear_start|linear_end|embedding_projection)(\.linear)?\.weight")
    tensors = load_file(checkpoint / "model.safetensors")
    return {key: tensor for key, tensor in tensors.items() if known.fullmatch(key) and "input_proj" not in key}


def test_quantizing_happens_after_merging(merged: Callable[..., Merged], checkpoint: Made, tmp_path: Path) -> None:
    found = merged("tiny", "plain", "F32")
    adapter = tmp_path / "adapter"
    peft_merge.make_adapter(checkpoint("tiny"), adapter)
    convert(ConvertJob(checkpoint("tiny"), tmp_path / "out", (adapter,), ("Q8_0",), "none"))
    quantized = values(tmp_path / "out", "Q8_0")
    for name, exact in found.exact.items():
        if exact.shape[1] % 32 == 0:
            direct = gguf.quants.dequantize(
                gguf.quants.quantize(found.ours[name].astype(np.float32), gguf.GGMLQuantizationType.Q8_0),
                gguf.GGMLQuantizationType.Q8_0,
            )
            assert np.array_equal(quantized[name], direct.astype(np.float64)), name


def test_the_bundled_adapter_merges_whole(tmp_path: Path) -> None:
    result = convert(ConvertJob(paths.demo_checkpoint(), tmp_path, (paths.demo_adapter(),), ("Q8_0",)))
    assert result.ledger
    assert {entry.status for entry in result.ledger} == {"merged"}
    assert min(entry.relative_change or 0 for entry in result.ledger) > 0


def _shared_kv_adapter(checkpoint: Path, adapter: Path) -> Path:
    """Add keys for a layer that shares keys and values, as tools that follow the released layout do."""
    peft_merge.make_adapter(checkpoint, adapter)
    weights = load_file(adapter / "adapter_model.safetensors")
    inside = "base_model.model.model.language_model.layers.{}.self_attn.k_proj.lora_{}.weight"
    weights |= {inside.format(4, half): weights[inside.format(0, half)].clone() for half in "AB"}
    save_file(weights, adapter / "adapter_model.safetensors")
    return adapter


@pytest.mark.parametrize("layout", ["tiny", "released"])
def test_keys_of_layers_that_share_them_have_no_effect_and_say_so(
    layout: str, checkpoint: Made, tmp_path: Path
) -> None:
    adapter = _shared_kv_adapter(checkpoint("tiny"), tmp_path / "adapter")
    result = convert(ConvertJob(checkpoint(layout), tmp_path / "out", (adapter,), ("F32",), "none"))
    found = [entry for entry in result.ledger if entry.status == "ineffective"]
    assert [entry.tensor for entry in found] == ["model.language_model.layers.4.self_attn.k_proj.weight"] * 2
    assert all("earlier layer" in (entry.reason or "") for entry in found)
    assert SHAPES["tiny"].layers - SHAPES["tiny"].shared <= 4


def test_a_tower_adapter_without_a_projector_has_no_effect_and_says_so(checkpoint: Made, tmp_path: Path) -> None:
    adapter = peft_merge.make_adapter(checkpoint("tiny"), tmp_path / "adapter", target_modules=TOWER_TARGETS)
    result = convert(ConvertJob(checkpoint("tiny"), tmp_path / "out", (adapter,), ("Q8_0",), "none"))
    assert {entry.status for entry in result.ledger} == {"ineffective"}
    assert {entry.reason for entry in result.ledger} == {"it belongs to a tower, and no projector is written"}


def test_a_file_tells_which_adapters_it_holds(checkpoint: Made, tmp_path: Path) -> None:
    adapter = peft_merge.make_adapter(checkpoint("tiny"), tmp_path / "french")
    result = convert(ConvertJob(checkpoint("tiny"), tmp_path / "out", (adapter,), ("Q8_0",), "none"))
    fields = gguf.GGUFReader(result.outputs[0].path).fields
    assert fields["edgekit.adapters"].contents() == ["french"]
    assert fields["edgekit.base"].contents() == checkpoint("tiny").name
    lines = fields["edgekit.ledger"].contents()
    assert len(lines) == len(result.ledger)
    assert lines[0] == f"merged {result.ledger[0].key} {result.ledger[0].tensor} 1.5"
    assert fields["general.name"].contents() == f"{checkpoint('tiny').name}-french"


def test_two_adapters_of_one_name_are_told_apart(checkpoint: Made, tmp_path: Path) -> None:
    adapters = tuple(
        peft_merge.make_adapter(checkpoint("tiny"), tmp_path / name / "adapter", seed=seed, size=seed / 10)
        for seed, name in enumerate(("one", "two"), start=1)
    )
    result = convert(ConvertJob(checkpoint("tiny"), tmp_path / "out", adapters, ("Q8_0",), "none"))
    first = [entry for entry in result.ledger if entry.tensor == result.ledger[0].tensor and "lora_A" in entry.key]
    assert [entry.adapter for entry in first] == ["adapter", str(adapters[1])]
    # Twice as large a change in each half makes four times the product.
    assert (first[1].relative_change or 0) > 2 * (first[0].relative_change or 0)
