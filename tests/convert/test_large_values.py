"""A finite value that F16 cannot hold is written as llama.cpp writes it, and said."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Type
from gguf import GGUFReader
from safetensors.torch import load_file, save_file

from edgekit.convert.job import ConvertJob, convert
from edgekit.convert.quantize import _ggml, quantize
from edgekit.convert.stream import check_range, check_scales
from edgekit.errors import FileError

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


@pytest.mark.parametrize(
    "name", ["Q8_0", "Q4_0", "Q4_1", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q6_K", "IQ4_XS", "IQ3_S", "MXFP4"]
)
def test_an_infinite_scale_is_refused_where_llama_quantize_refuses_it(name: str) -> None:
    valid = _ggml().ggml_validate_row_data
    valid.restype, valid.argtypes = ctypes.c_bool, [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
    noise = np.random.default_rng(0).standard_normal((4, 256)).astype(np.float32)
    seen = set()
    for power in np.arange(4, 9, 0.25):
        made = quantize(Type[name], noise * np.float32(10**power))
        data = np.frombuffer(made, np.uint8)
        # Where it is not, llama-quantize ends with "quantized data validation failed".
        granted = valid(Type[name], data.ctypes.data, data.nbytes)
        seen.add(granted)
        if granted:
            check_scales("x", Type[name], made, 256)
        else:
            with pytest.raises(FileError, match=f"too large for {name}"):
                check_scales("x", Type[name], made, 256)
    assert seen == ({True} if name == "MXFP4" else {True, False})


# ggml itself ends the process where IQ3_S meets such values.
@pytest.mark.parametrize("quantization", ["Q8_0", "Q4_K_M", "IQ3_S"])
def test_no_file_with_infinite_scales_is_written(quantization: str, checkpoint: Made, tmp_path: Path) -> None:
    large = with_value(checkpoint("wide"), tmp_path / "model", 1e30)
    with pytest.raises(FileError, match=f"{WRITTEN} has values, or an importance, too large"):
        convert(ConvertJob(large, tmp_path / "out", (), (quantization,), "none"))
    assert not list((tmp_path / "out").glob("*"))


@pytest.mark.parametrize(("importance", "fits"), [(1e30, True), (1e38, False)])
def test_an_importance_that_overflows_is_refused(importance: float, fits: bool) -> None:
    noise = np.random.default_rng(0).standard_normal((4, 256)).astype(np.float32)
    weights = np.full(256, importance, np.float32)
    if fits:
        check_range("x", Type.IQ2_XS, float(np.abs(noise).max()), weights)
        quantize(Type.IQ2_XS, noise, weights)
    else:
        with pytest.raises(FileError, match="too large for IQ2_XS"):
            check_range("x", Type.IQ2_XS, float(np.abs(noise).max()), weights)
