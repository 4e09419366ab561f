"""edgekit's own engine computes every shape that becomes ONNX as transformers does, and says what it takes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from edgekit.chat.onnx_fit import fit_folder
from edgekit.convert.job import ConvertJob, convert
from edgekit.engine.onnx.engine import OnnxEngine
from edgekit.engine.onnx.folder import check_folder
from edgekit.hardware.probe import probe

Made = Callable[[str], Path]
# Longer than twice the sliding windows.
IDS = [2, *map(int, np.random.default_rng(1).integers(24, 300, 149))]


@torch.inference_mode()
def wanted(checkpoint: Path) -> np.ndarray:
    kind = json.loads((checkpoint / "config.json").read_text())["architectures"][0]
    model = getattr(transformers, kind).from_pretrained(checkpoint, dtype=torch.float32, attn_implementation="eager")
    texts = {"mm_token_type_ids": torch.zeros(1, len(IDS), dtype=torch.long)} if "Conditional" in kind else {}
    return model.eval()(input_ids=torch.tensor([IDS]), **texts).logits[0].numpy()


@pytest.mark.parametrize("name", ["tiny", "half", "dense", "unified", "text-only"])
def test_logits(name: str, checkpoint: Made, tmp_path: Path) -> None:
    source = checkpoint(name)
    convert(ConvertJob(source, tmp_path, quantizations=("fp32", "q4"), to="onnx", projector="none"))
    found = fit_folder(check_folder(tmp_path), probe(), context=256)
    assert found.fits
    assert found.plan.precision == "fp32"
    engine, theirs = OnnxEngine.open(found.plan), wanted(source)
    list(engine.read([IDS[:100]]))
    assert np.abs(engine.logits() - theirs[99]).max() < 1e-3
    # Over what is there already, and once more from an earlier place.
    assert list(engine.read([IDS])) == [100, 150]
    assert np.abs(engine.logits() - theirs[149]).max() < 1e-3
    assert list(engine.read([IDS[:70]])) == [69, 70]
    assert np.abs(engine.logits() - theirs[69]).max() < 1e-3
    assert not engine.takes_pictures
    assert not engine.takes_sound
    # The cache is what the estimate says of so many tokens.
    line = next(line for line in found.memory.lines if line.what == "kv_full")
    assert engine.decoder.cache_bytes == line.bytes
    engine.close()
