"""The commands on a folder of ONNX files, as a person starts them."""

from __future__ import annotations

import json

import pytest
from oracles.pico_onnx import onnx_folder

__all__ = ["onnx_folder"]


@pytest.mark.parametrize("quant", ["fp32", "q4"])
def test_run(quant, edgekit, onnx_folder):
    done = edgekit("run", onnx_folder, "Who are you?", "--quant", quant, "--temperature", 0, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["answer"].startswith("I am gemma4-pico")
    assert found["model"] == onnx_folder.name
    assert found["finish_reason"] == "stop"


def test_chat_thinks_and_goes_on(edgekit, onnx_folder):
    done = edgekit("chat", onnx_folder, "--plain", "--temperature", 0, stdin="Who are you?\n/think\nHello!\n")
    assert done.returncode == 0, done.stderr
    assert "I am gemma4-pico" in done.stdout
    assert "thinking on" in done.stderr


def test_inspect(edgekit, onnx_folder):
    report = json.loads(edgekit("inspect", onnx_folder, "--json").stdout)
    assert report["kind"] == "onnx"
    assert report["quantization"] == "fp32, q4"
    assert report["context"] == 32768
    assert report["bytes"] == sum(file.stat().st_size for file in (onnx_folder / "onnx").iterdir())


def test_pick(edgekit, onnx_folder):
    found = json.loads(edgekit("pick", "--model", onnx_folder, "--json", "--no-measure").stdout)["recommendation"]
    # The best precision that fits.
    assert found["quantization"] == "fp32"
    assert found["fits"]
    assert found["memory"]["needed"] > found["bytes"]
    assert "--quant fp32" in found["next_command"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "FOLDER", "hi", "--quant", "q9"), "has no q9: it has fp32, q4"),
        (("run", "FOLDER", "hi", "--provider", "abacus"), "no provider abacus: it has"),
        (("run", "FOLDER", "hi", "--projector", "mmproj.gguf"), "leave --projector out"),
        (("run", "FOLDER", "hi", "--context", 100_000), "was trained for at most 32768"),
        (("run", "demo", "hi", "--quant", "q4"), "is no folder of ONNX files"),
        (("bench", "FOLDER"), "this takes a GGUF file"),
    ],
)
def test_refusals(arguments, said, edgekit, onnx_folder):
    done = edgekit(*(onnx_folder if one == "FOLDER" else one for one in arguments))
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
