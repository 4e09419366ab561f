"""What llama.cpp takes for granted of Gemma 3, 3n and 4, and reads from no file: another value is refused by name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from oracles import tiny_checkpoint
from safetensors.torch import load_file, save_file

from edgekit.convert.job import ConvertJob, convert
from edgekit.errors import UnsupportedError

Made = Callable[[str], Path]
OTHERS: dict[str, tuple[str, dict[str, Any], str]] = {
    "scale of queries": ("gemma3-text", {"query_pre_attn_scalar": 48}, "query_pre_attn_scalar 32, not 48"),
    "order of layers": ("gemma3-text", {"layer_types": ["sliding_attention"] * 6}, "in another order"),
    "dense layers": ("gemma3n", {"activation_sparsity_pattern": [0.0] * 25}, "0.95 in the first 10 layers"),
    "number of inputs": ("gemma3n", {"altup_num_inputs": 3}, "altup_num_inputs 4, not 3"),
    "rank": ("gemma3n", {"laurel_rank": 32}, "laurel_rank 64, not 32"),
}


def copied(source: Path, folder: Path, **changes: Any) -> Path:
    shutil.copytree(source, folder)
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return folder


@pytest.mark.parametrize("what", OTHERS)
def test_another_value_is_refused(what: str, checkpoint: Made, tmp_path: Path) -> None:
    name, changes, message = OTHERS[what]
    with pytest.raises(UnsupportedError, match=message):
        convert(ConvertJob(copied(checkpoint(name), tmp_path / "model", **changes), tmp_path / "out"))


def test_the_width_of_a_head_in_27b_is_the_models_by_its_heads(checkpoint: Made, tmp_path: Path) -> None:
    # 168 where a head is 128 wide, as its 62 layers tell llama.cpp.
    changes = {"num_hidden_layers": 62, "layer_types": None, "head_dim": 32}
    given = copied(checkpoint("gemma3-text"), tmp_path / "model", **changes, query_pre_attn_scalar=32)
    with pytest.raises(UnsupportedError, match="query_pre_attn_scalar 24, not 32"):
        convert(ConvertJob(given, tmp_path / "out"))


def test_what_an_adapter_does_to_a_tower_that_is_not_written_is_said(checkpoint: Made, tmp_path: Path) -> None:
    base = copied(checkpoint("gemma3n"), tmp_path / "model")
    weights = load_file(base / "model.safetensors")
    weights["model.embed_audio.embedding_projection.weight"] = torch.ones(96, 8, dtype=torch.bfloat16)
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 2, "lora_alpha": 2}))
    key = "base_model.model.model.embed_audio.embedding_projection.lora_{}.weight"
    save_file(
        {key.format("A"): torch.ones(2, 8), key.format("B"): torch.ones(96, 2)}, adapter / "adapter_model.safetensors"
    )
    result = convert(ConvertJob(base, tmp_path / "out", (adapter,), ("Q8_0",)))
    assert {(entry.status, entry.reason) for entry in result.ledger} == {
        ("ineffective", "it belongs to a tower, and no projector is written")
    }
    assert [line for line in result.warnings if line.startswith("no ears")]
    merged = convert(ConvertJob(base, tmp_path / "merged", (adapter,), to="safetensors"))
    assert {entry.status for entry in merged.ledger} == {"merged"}


def test_layers_that_share_keys_from_elsewhere_are_refused(checkpoint: Made, tmp_path: Path) -> None:
    # Layers 0 to 3 are their own: the third is the last global one, where llama.cpp takes the fourth.
    base = tiny_checkpoint.write(tmp_path / "base", tiny_checkpoint.Shape(shared=2))
    with pytest.raises(UnsupportedError, match="2 layers share keys and values"):
        convert(ConvertJob(base, tmp_path / "out"))
    assert convert(ConvertJob(base, tmp_path / "onnx", (), ("fp32",), to="onnx")).outputs
