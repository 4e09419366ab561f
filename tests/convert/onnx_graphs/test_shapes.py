"""Every shape of Gemma 4 that becomes ONNX, in every runtime: the same logits, the same 64 tokens."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from oracles.onnx_folder import Array, OnnxFolder
from oracles.onnx_runtimes import genai, transformers_js
from oracles.tiny_checkpoint import Shape, write

from edgekit.convert.job import ConvertJob, convert
from edgekit.errors import UnsupportedError

Made = Callable[[str], Path]
# E2B twice, E4B, one that shares nothing, 31B, 12B and a language model without towers, in small.
NAMES = ["pico", "tiny", "E4B", "half", "dense", "unified", "text-only"]
# Longer than the sliding window; the answer ends beyond twice of it.
LENGTH, COUNT = 90, 64
END = [1, 6]


@pytest.fixture(scope="module", params=NAMES)
def pair(
    request: pytest.FixtureRequest, checkpoint: Made, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, OnnxFolder]:
    out = tmp_path_factory.mktemp("shape")
    # Its last layers share keys and values and are no wider than the others.
    narrow = Shape(double_wide=False)
    source = write(out / "E4B", narrow) if request.param == "E4B" else checkpoint(request.param)
    convert(ConvertJob(source, out / "onnx", quantizations=("fp32",), to="onnx", projector="none"))
    return source, OnnxFolder(out / "onnx")


@torch.inference_mode()
def wanted(checkpoint: Path, ids: list[int]) -> Array:
    kind = json.loads((checkpoint / "config.json").read_text())["architectures"][0]
    model = getattr(transformers, kind).from_pretrained(checkpoint, dtype=torch.float32, attn_implementation="eager")
    texts = {"mm_token_type_ids": torch.zeros(1, len(ids), dtype=torch.long)} if "Conditional" in kind else {}
    array: Array = model.eval()(input_ids=torch.tensor([ids]), **texts).logits[0].numpy()
    return array


def test_tokens_of_all_runtimes(pair: tuple[Path, OnnxFolder]) -> None:
    checkpoint, folder = pair
    ids = [2, *map(int, np.random.default_rng(0).integers(24, 300, LENGTH - 1))]
    found = folder.greedy(ids, COUNT, END)
    theirs = wanted(checkpoint, [*ids, *found])
    after = theirs[LENGTH - 1 : -1].copy()
    after[:, END] = -np.inf
    assert after.argmax(-1).tolist() == found
    folder.forget()
    assert np.abs(folder.logits([*ids, *found]) - theirs).max() < 1e-3
    assert transformers_js(folder.folder, ids, COUNT) == found
    if sys.version_info >= (3, 11):
        # There are no wheels for older ones.
        assert genai(folder.folder, ids, COUNT) == found


@pytest.mark.parametrize("name", ["experts", "drafter", "unified-drafter", "gemma3", "gemma3n"])
def test_others_are_refused(name: str, checkpoint: Made, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="ONNX"):
        convert(ConvertJob(checkpoint(name), tmp_path / "out", quantizations=("fp32",), to="onnx"))
    assert not (tmp_path / "out").exists()
