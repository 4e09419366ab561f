"""A finite value that F16 cannot hold is written as llama.cpp writes it, and said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from gguf import GGUFReader
from safetensors.torch import load_file, save_file

from edgekit.convert.job import ConvertJob, convert

Made = Callable[[str], Path]
NAME = "model.language_model.layers.1.mlp.up_proj.weight"
WRITTEN = "blk.1.ffn_up.weight"


def with_value(checkpoint: Path, folder: Path, value: float) -> Path:
    folder.mkdir()
    for path in checkpoint.iterdir():
        if path.suffix != ".safetensors":
            (folder / path.name).write_bytes(path.read_bytes())
    weights = load_file(checkpoint / "model.safetensors")
    weights[NAME] = weights[NAME].clone()
    weights[NAME][3, 5] = value
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert torch.isfinite(weights[NAME]).all()
    return folder


def test_a_value_that_becomes_infinite_is_named(checkpoint: Made, tmp_path: Path) -> None:
    large = with_value(checkpoint("single"), tmp_path / "model", -65520.0)
    result = convert(ConvertJob(large, tmp_path / "out", (), ("F16", "BF16"), "none"))
    assert [line for line in result.warnings if "infinity" in line] == [
        f"{WRITTEN} has values above 65504, which F16 writes as infinity: choose BF16 instead"
    ]
    written = {tensor.name: tensor.data for tensor in GGUFReader(result.outputs[0].path).tensors}
    assert np.isneginf(written[WRITTEN][3, 5])


def test_what_f16_holds_or_another_type_is_no_matter(checkpoint: Made, tmp_path: Path) -> None:
    fits = with_value(checkpoint("single"), tmp_path / "fits", 65519.0)
    large = with_value(checkpoint("single"), tmp_path / "large", 1e6)
    for source, quantization in ((fits, "F16"), (large, "BF16"), (large, "Q8_0")):
        result = convert(ConvertJob(source, tmp_path / quantization, (), (quantization,), "none"))
        # Rows of 80 are no whole number of blocks: those fall back to F16, this tensor does not.
        assert not [line for line in result.warnings if WRITTEN in line]
