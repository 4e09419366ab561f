"""Our files hold what llama.cpp's own converter and quantizer write: every key, every tensor, byte by byte."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGUFReader
from oracles.gguf_compare import contents, differences
from oracles.tiny_checkpoint import CONVERTED, SHAPES
from oracles.tiny_variants import EYELESS, VARIANTS
from safetensors.torch import load_file

from edgekit.convert.general import OWN_KEYS
from edgekit.convert.job import ConvertJob, convert

Made = Callable[[str], Path]
WITH_EARS = ["pico", *SHAPES]
NAMES = [*WITH_EARS, *VARIANTS]
SEEING = [name for name in NAMES if name not in EYELESS]
# torch's softplus differs in the last bits from lane to lane of its vectors; test_softplus says how close ours is.
SOFTPLUS = ".per_dim_scale.weight"


@pytest.fixture(scope="module")
def ours(checkpoint: Made, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return the folder of our files of a checkpoint: model-Q.gguf and mmproj-model-Q.gguf."""
    folder = tmp_path_factory.mktemp("ours")

    def make(name: str) -> Path:
        path = folder / name
        if not path.exists():
            # No name is given: general.name comes from the folder, as in llama.cpp.
            convert(ConvertJob(checkpoint(name), path, (), (*CONVERTED, "Q4_0"), "none"))
            for projector in CONVERTED if name in SEEING else ():
                convert(ConvertJob(checkpoint(name), path, (), ("Q8_0",), projector))
        return path

    return make


def file(folder: Path, quantization: str, *, projector: bool = False) -> Path:
    found = [path for path in folder.glob(f"*-{quantization}.gguf") if path.name.startswith("mmproj-") == projector]
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize("quantization", [*CONVERTED, "Q4_0"])
@pytest.mark.parametrize("name", NAMES)
def test_the_model_equals_llama_cpps(name: str, quantization: str, ours: Made, llama: Made) -> None:
    made = file(ours(name), quantization)
    assert differences(made, llama(name) / f"{quantization}.gguf", allowed=frozenset(OWN_KEYS)) == []


@pytest.mark.parametrize("quantization", CONVERTED)
@pytest.mark.parametrize("name", SEEING)
def test_the_projector_equals_llama_cpps(name: str, quantization: str, ours: Made, llama: Made) -> None:
    made = file(ours(name), quantization, projector=True)
    found = differences(made, llama(name) / f"mmproj-{quantization}.gguf", allowed=frozenset(OWN_KEYS))
    assert [line for line in found if SOFTPLUS not in line] == []


@pytest.mark.parametrize("name", WITH_EARS)
def test_softplus_is_at_least_as_exact_as_llama_cpps(name: str, ours: Made, llama: Made, checkpoint: Made) -> None:
    mine, theirs = (
        {tensor.name: np.array(tensor.data) for tensor in GGUFReader(path).tensors}
        for path in (file(ours(name), "F32", projector=True), llama(name) / "mmproj-F32.gguf")
    )
    given = {key: tensor for path in checkpoint(name).glob("*.safetensors") for key, tensor in load_file(path).items()}
    scales = {key: tensor for key, tensor in given.items() if key.endswith(".per_dim_scale")}
    assert scales
    for key, tensor in scales.items():
        exact = torch.nn.functional.softplus(tensor.double()).numpy()
        converted = f"a.blk.{key.split('.')[3]}{SOFTPLUS}"
        assert np.abs(mine[converted] - exact).max() <= np.abs(theirs[converted] - exact).max()
        assert np.abs(mine[converted] - exact).max() <= np.spacing(np.float32(exact.max())) / 2


@pytest.mark.parametrize("name", WITH_EARS)
def test_files_are_named_by_the_convention_and_stand_beside_a_modelfile(
    name: str, ours: Made, checkpoint: Made
) -> None:
    base = checkpoint(name).name
    names = {path.name for path in ours(name).iterdir()}
    texts = {f"{base}-{quantization}.gguf" for quantization in (*CONVERTED, "Q4_0")}
    assert names == texts | {f"mmproj-{base}-{quantization}.gguf" for quantization in CONVERTED} | {"Modelfile"}


def test_our_own_keys_are_all_listed_and_used(checkpoint: Made, tmp_path: Path) -> None:
    convert(ConvertJob(checkpoint("tiny"), tmp_path, (), ("Q8_0",), "none"))
    keys = contents(next(tmp_path.glob("*.gguf"))).keys
    own = {key for key in keys if key.startswith("edgekit.")}
    assert own == {"edgekit.version", "edgekit.base"}
    assert own < OWN_KEYS.keys()
    assert all(OWN_KEYS.values())


def test_several_quantizations_in_one_run_equal_single_runs(checkpoint: Made, tmp_path: Path) -> None:
    together = convert(ConvertJob(checkpoint("wide"), tmp_path / "both", (), ("Q4_0", "Q8_0")))
    for quantization in ("Q4_0", "Q8_0"):
        alone = convert(ConvertJob(checkpoint("wide"), tmp_path / quantization, (), (quantization,)))
        digests = {output.path.name: output.sha256 for output in together.outputs}
        text = alone.outputs[0]
        assert digests[text.path.name] == text.sha256


def test_the_result_says_what_lies_on_the_disk(checkpoint: Made, tmp_path: Path) -> None:
    result = convert(ConvertJob(checkpoint("tiny"), tmp_path, (), ("Q4_0",)))
    assert [output.kind for output in result.outputs] == ["text", "projector", "modelfile"]
    for output in result.outputs:
        data = output.path.read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (output.bytes, output.sha256)
    assert {path.name for path in tmp_path.iterdir()} == {output.path.name for output in result.outputs}


def test_a_large_tensor_is_cut_into_blocks_without_a_seam(
    checkpoint: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = convert(ConvertJob(checkpoint("wide"), tmp_path / "whole", (), ("Q4_0", "F16")))
    # Seven rows of the narrowest tensors, one of the widest.
    monkeypatch.setattr("edgekit.convert.stream._BLOCK", 500)
    cut = convert(ConvertJob(checkpoint("wide"), tmp_path / "cut", (), ("Q4_0", "F16")))
    assert [output.sha256 for output in cut.outputs] == [output.sha256 for output in whole.outputs]
