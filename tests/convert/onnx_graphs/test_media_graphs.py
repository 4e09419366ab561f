"""Pictures and sounds through the encoders' graphs are what they are in transformers, and lead to the same answers."""

from __future__ import annotations

import shutil
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from oracles.onnx_folder import Array, OnnxFolder
from oracles.onnx_runtimes import transformers_js
from oracles.reference import Reference, Seen
from PIL import Image
from safetensors.torch import load_file, save_file

from edgekit import paths
from edgekit.convert.job import ConvertJob, convert
from edgekit.convert.onnx.precision import PRECISIONS

Made = Callable[[str], Path]
# Of `tiny`, whose widths no block of 32 divides, all clipping bounds are near 1.
NAMES = ["pico", "tiny"]
END = [1, 6]


@pytest.fixture(scope="module", params=NAMES)
def folder(request: pytest.FixtureRequest, checkpoint: Made, tmp_path_factory: pytest.TempPathFactory) -> OnnxFolder:
    out = tmp_path_factory.mktemp(request.param)
    convert(ConvertJob(checkpoint(request.param), out, quantizations=("fp32",), to="onnx"))
    return OnnxFolder(out)


@pytest.fixture(scope="module")
def reference(request: pytest.FixtureRequest, folder: OnnxFolder, checkpoint: Made) -> Reference:
    name = next(name for name in NAMES if name in folder.folder.name)
    made = Reference(checkpoint("pico"))
    if name != "pico":
        made.model = type(made.model).from_pretrained(
            checkpoint(name), dtype=torch.float32, attn_implementation="eager"
        )
        made.model.eval()
    return made


def pictures() -> list[Image.Image]:
    """Of three shapes, so that two of them end before the third."""
    dice = np.random.default_rng(0)
    circle = Image.open(paths.demo_samples() / "red-circle.png").convert("RGB")
    noise = Image.fromarray(dice.integers(0, 255, (97, 333, 3), np.uint8))
    return [circle, circle.resize((90, 400)), noise]


def sounds() -> list[Array]:
    with wave.open(str(paths.demo_samples() / "seven.wav")) as file:
        spoken = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32) / 32768
    return [spoken, spoken[:7000], np.random.default_rng(0).normal(0, 0.1, 50_000).astype(np.float32)]


def features(folder: OnnxFolder, seen: Seen) -> Array:
    inputs = {name.replace("image_position", "pixel_position"): value.numpy() for name, value in seen.inputs.items()}
    name = "audio_encoder" if "input_features" in inputs else "vision_encoder"
    found: Array = folder.session(name).run(None, inputs)[0]
    return found


def test_pictures_alone_and_together(folder: OnnxFolder, reference: Reference) -> None:
    seen = [reference.see(picture, 70) for picture in pictures()]
    for one in seen:
        assert np.abs(features(folder, one) - one.embeddings).max() < 1e-3
    together = {name: torch.cat([one.inputs[name] for one in seen]) for name in seen[0].inputs}
    found = features(folder, seen[0]._replace(inputs=together))
    assert np.abs(found - np.concatenate([one.embeddings for one in seen])).max() < 1e-3


def test_sounds_alone_and_together(folder: OnnxFolder, reference: Reference) -> None:
    heard = [reference.hear(sound) for sound in sounds()]
    for one in heard:
        assert np.abs(features(folder, one) - one.embeddings).max() < 1e-3
    together = dict(reference._ears(sounds(), return_tensors="pt"))
    found = features(folder, heard[0]._replace(inputs=together))
    assert np.abs(found - np.concatenate([one.embeddings for one in heard])).max() < 1e-3


@pytest.fixture(scope="module")
def loud(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pico in several precisions, its pictures' features almost as large as float16 can hold."""
    folder = tmp_path_factory.mktemp("loud")
    shutil.copytree(paths.demo_checkpoint(), folder / "checkpoint")
    weights = load_file(folder / "checkpoint/model.safetensors")
    weights["model.vision_tower.encoder.layers.1.post_feedforward_layernorm.weight"] *= 2000
    save_file(weights, folder / "checkpoint/model.safetensors", metadata={"format": "pt"})
    convert(ConvertJob(folder / "checkpoint", folder / "onnx", quantizations=tuple(PRECISIONS), to="onnx"))
    return folder / "onnx"


@pytest.mark.parametrize(("precision", "most"), [("fp16", 2e-3), ("int8", 2e-2), ("q4", 2e-2), ("q4f16", 2e-2)])
def test_few_bits_change_little(precision: str, most: float, loud: Path, checkpoint: Made) -> None:
    model = Reference(checkpoint("pico"))
    for seen in (model.see(pictures()[0], 70), model.hear(sounds()[0])):
        exact = features(OnnxFolder(loud), seen)
        assert np.abs(features(OnnxFolder(loud, precision), seen) - exact).max() < most * np.abs(exact).max()


@pytest.mark.parametrize("kind", ["picture", "sound"])
def test_answers_about_what_is_seen_and_heard(kind: str, folder: OnnxFolder, reference: Reference) -> None:
    seen = reference.see(pictures()[0], 70) if kind == "picture" else reference.hear(sounds()[0])
    ids = [2, *range(30, 40), *[seen.token] * len(seen.embeddings), *range(40, 60)]
    found = features(folder, seen)
    folder.forget()
    assert np.abs(folder.logits(ids, 0, (seen.token, found)) - reference.logits(ids, seen)).max() < 2e-2
    wanted = folder.greedy(ids, 16, END, (seen.token, found))
    after = reference.logits([*ids, *wanted], seen)[len(ids) - 1 : -1]
    after[:, END] = -np.inf
    assert after.argmax(-1).tolist() == wanted
    media = {name: value.numpy() for name, value in seen.inputs.items()}
    assert transformers_js(folder.folder, ids, 16, media=media) == wanted
