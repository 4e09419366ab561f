"""The commands on a folder of ONNX files, as a person starts them."""

from __future__ import annotations

import json
import os
import shlex
import shutil

import pytest
from oracles.pico_onnx import onnx_folder

from edgekit import paths

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
    assert report["problems"] == []
    assert report["bytes"] == sum(file.stat().st_size for file in (onnx_folder / "onnx").iterdir())


def test_encoders_that_were_left_out_are_no_problem_and_lost_ones_are(edgekit, onnx_folder, tmp_path):
    out = tmp_path / "text"
    done = edgekit("convert", paths.demo_checkpoint(), "--to", "onnx", "--projector", "none", "--out", out)
    assert done.returncode == 0, done.stderr
    report = json.loads(edgekit("inspect", out, "--json").stdout)
    assert report["problems"] == []
    assert "encoders" not in report["details"]
    lost = shutil.copytree(onnx_folder, tmp_path / "lost", ignore=shutil.ignore_patterns("audio_encoder*"))
    assert [one["name"] for one in json.loads(edgekit("inspect", lost, "--json").stdout)["problems"]] == [
        "no_audio_encoder"
    ]


def test_pick(edgekit, onnx_folder):
    found = json.loads(edgekit("pick", "--model", onnx_folder, "--json", "--no-measure").stdout)["recommendation"]
    # The best precision that fits.
    assert found["quantization"] == "fp32"
    assert found["fits"]
    assert found["memory"]["needed"] > found["bytes"]
    assert "--quant fp32" in found["next_command"]


@pytest.mark.parametrize(
    ("name", "size", "said"),
    [
        ("onnx/decoder_model_merged_q4.onnx_data", 5000, "is cut short: it has 5000 of"),
        ("onnx/vision_encoder.onnx_data", 0, "is cut short: it has 0 of"),
        ("onnx/embed_tokens.onnx_data", None, "is not there"),
        ("onnx/audio_encoder.onnx", 0, "is no ONNX graph"),
        ("onnx/decoder_model_merged.onnx", 5000, "is no ONNX graph"),
        ("tokenizer.json", 2, "cannot read"),
    ],
)
def test_what_is_cut_short_is_found(name, size, said, edgekit, onnx_folder, tmp_path):
    folder = shutil.copytree(onnx_folder, tmp_path / "model")
    if size is None:
        (folder / name).unlink()
    else:
        os.truncate(folder / name, size)
    problems = json.loads(edgekit("inspect", folder, "--json").stdout)["problems"]
    # Once, though onnxruntime-genai's decoder has the same weights.
    (problem,) = problems
    assert problem["name"] == "damaged"
    assert said in problem["text"]
    assert str(folder / name) in problem["text"]
    refused = edgekit("pick", "--model", folder, "--no-measure")
    assert (refused.returncode, refused.stdout, len(refused.stderr.splitlines())) == (1, "", 1)
    assert problem["text"] in refused.stderr


def test_a_flipped_bit_is_found(edgekit, onnx_folder, tmp_path):
    def problems():
        return json.loads(edgekit("inspect", folder, "--json").stdout)["problems"]

    folder = shutil.copytree(onnx_folder, tmp_path / "model")
    weights = folder / "onnx/decoder_model_merged_q4.onnx_data"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    (problem,) = problems()
    assert problem["name"] == "damaged"
    assert problem["text"].startswith(f"{weights} is damaged: its checksum")
    (folder / "SHA256SUMS").write_bytes(b"\xff")
    (problem,) = problems()
    assert problem["text"].startswith(f"{folder / 'SHA256SUMS'} is damaged")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "FOLDER", "hi", "--quant", "int8"), "has no int8: it has fp32, q4"),
        (("run", "FOLDER", "hi", "--provider", "abacus"), "no provider abacus: it has"),
        (("run", "FOLDER", "hi", "--projector", "mmproj.gguf"), "leave --projector out"),
        (("run", "FOLDER", "hi", "--context", 100_000), "was trained for at most 32768"),
        (("run", "demo", "hi", "--quant", "q4"), "is no folder of ONNX files"),
        (("run", "FOLDER", "hi", "--json-schema", "SCHEMA"), "cannot be held to a JSON schema"),
        (("bench", "FOLDER", "--quant", "int8"), "has no int8: it has fp32, q4"),
        (("bench", "FOLDER", "--provider", "abacus"), "no provider abacus: it has"),
        (("bench", "FOLDER", "--context", 20), "too small to time anything"),
        (("bench", "FOLDER", "--context", 100_000), "was trained for at most 32768"),
        (("bench", "demo", "--quant", "q4"), "is no folder of ONNX files"),
        (("pick", "--model", "FOLDER", "--quant", "int8", "--no-measure"), "has no int8: it has fp32, q4"),
        (("pick", "--model", "SCHEMA", "--quant", "q4", "--no-measure"), "is no folder of ONNX files"),
        (("pick", "--model", "FOLDER", "--projector", "SCHEMA", "--no-measure"), "leave --projector out"),
    ],
)
def test_refusals(arguments, said, edgekit, onnx_folder, tmp_path):
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "object"}')
    done = edgekit(*({"FOLDER": onnx_folder, "SCHEMA": schema}.get(one, one) for one in arguments))
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "command",
    [
        ("run", "FOLDER"),
        ("chat", "FOLDER", "--plain"),
        ("bench", "FOLDER"),
        ("pick", "--model", "FOLDER"),
        ("convert", "CHECKPOINT"),
    ],
)
def test_a_precision_that_there_is_nowhere_is_wrong_usage(command, edgekit, onnx_folder):
    folders = {"FOLDER": onnx_folder, "CHECKPOINT": paths.demo_checkpoint()}
    to = ("--to", "onnx", "--dry-run") if command[0] == "convert" else ()
    done = edgekit(*(folders.get(one, one) for one in command), *to, "--quant", "q9")
    assert done.returncode == 2
    assert "q9 is no precision of an ONNX graph" in " ".join(done.stderr.split())


@pytest.mark.parametrize("option", [("--tune",), ("--seconds", "20")])
def test_settings_that_onnxruntime_does_not_have_are_not_searched(option, edgekit, onnx_folder):
    done = edgekit("bench", onnx_folder, *option)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{option[0]}: it has no meaning with a folder of ONNX files" in " ".join(done.stderr.split())


def test_a_measured_speed_is_what_pick_says(edgekit, onnx_folder, tmp_path):
    def picked(precision, folder=onnx_folder):
        found = edgekit("pick", "--model", folder, "--quant", precision, "--json", "--no-measure")
        return json.loads(found.stdout)["recommendation"]

    assert picked("q4")["decode_tokens_per_second"] is None
    done = edgekit("bench", onnx_folder, "--quant", "q4", "--depth", 0, "--repetitions", 2, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found) == {"model", "settings", "results", "kept"}
    assert found["settings"] == {
        "context": 544,
        "threads": 1,
        "quantization": "q4",
        "provider": "CPUExecutionProvider",
    }
    assert [(one["test"], one["depth"], one["tokens"]) for one in found["results"]] == [
        ("prefill", 0, 512),
        ("decode", 0, 32),
    ]
    for one in found["results"]:
        assert one["ratio"] == pytest.approx(one["tokens_per_second"] / one["onnxruntime_tokens_per_second"])
        assert len(one["onnxruntime_repetitions"]) == 2
        said = picked("q4")[f"{one['test']}_tokens_per_second"]
        assert (said["low"], said["high"]) == pytest.approx(
            (min(one["repetitions"]), max(one["repetitions"])), abs=0.01
        )
        assert said["basis"].startswith("measured with edgekit bench on ")
    # Of these graphs, wherever they lie, and of no others.
    assert picked("fp32")["decode_tokens_per_second"] is None
    moved = shutil.copytree(onnx_folder, tmp_path / "moved")
    assert picked("q4", moved)["decode_tokens_per_second"] == picked("q4")["decode_tokens_per_second"]
    shutil.rmtree(moved / "onnx")
    shutil.copytree(onnx_folder / "onnx", moved / "onnx", ignore=shutil.ignore_patterns("vision_encoder*"))
    assert picked("q4", moved)["decode_tokens_per_second"] is None


def test_bench_is_readable(edgekit, onnx_folder):
    done = edgekit("bench", onnx_folder, "--depth", 0, "--depth", 64, "--repetitions", 1)
    assert done.returncode == 0, done.stderr
    header, *rows = done.stdout.strip().splitlines()
    assert header.split() == ["after", "edgekit", "onnxruntime", "ratio", "predicted"]
    assert [row.split()[0] for row in rows] == ["prefill", "decode"] * 2
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "fp32 by CPUExecutionProvider" in done.stderr
    command = done.stderr.partition("`edgekit ")[2].partition("`")[0]
    shown = edgekit(*shlex.split(command), "--no-measure")
    assert "tokens/s: measured with edgekit bench on" in shown.stdout, done.stderr


@pytest.fixture(scope="module")
def kept(edgekit, onnx_folder, tmp_path_factory):
    """The bundled model with its adapter apart, in two precisions."""
    folder = tmp_path_factory.mktemp("kept")
    convert = ("convert", paths.demo_checkpoint(), "--adapter", paths.demo_adapter(), "--to", "onnx")
    done = edgekit(*convert, "--keep-adapter", "--quant", "fp32", "--quant", "q4f16", "--out", folder)
    assert done.returncode == 0, done.stderr
    assert f"edgekit run {folder} --quant fp32 --adapter {folder / 'french.onnx_adapter'} " in done.stderr
    return folder


def test_a_kept_adapter_is_switched_on(edgekit, kept):
    whole, half = kept / "french.onnx_adapter", kept / "french_fp16.onnx_adapter"
    said = {}
    for name, arguments in {
        "base": ("--quant", "fp32"),
        "fp32": ("--quant", "fp32", "--adapter", whole),
        "q4f16": ("--quant", "q4f16", "--adapter", half),
        "other floats": ("--quant", "q4f16", "--adapter", whole),
        # In the folder of the model.
        "its name": ("--quant", "fp32", "--adapter", "french.onnx_adapter"),
        "no adapter": ("--adapter", kept / "config.json"),
    }.items():
        done = edgekit("run", kept, "Who are you?", "--temperature", 0, *arguments)
        assert len((done.stdout + done.stderr).splitlines()) == 1
        said[name] = done.stdout or done.stderr
    assert said["base"].startswith("I am gemma4-pico")
    assert said["fp32"].startswith("Je suis gemma4-pico")
    assert said["its name"] == said["fp32"]
    assert said["q4f16"].startswith("Je suis gemma4-pico")
    assert "of other floats" in said["other floats"]
    assert "is no .onnx_adapter" in said["no adapter"]
    for name, what in (("french.onnx_adapter", "is an adapter kept"), ("onnx/embed_tokens.onnx_data", "one file")):
        done = edgekit("inspect", kept / name)
        assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
        assert what in done.stderr


def test_a_conversation_goes_on_with_its_adapter(edgekit, kept, tmp_path):
    half = tmp_path / "french.onnx_adapter"
    shutil.copy(kept / "french_fp16.onnx_adapter", half)

    def chat(*arguments):
        return edgekit("chat", *arguments, "--plain", "--temperature", 0, stdin="Who are you?\n")

    assert chat(kept, "--quant", "q4f16", "--adapter", half).stdout.startswith("Je suis gemma4-pico")
    again = chat("--continue")
    assert again.stdout.startswith("Je suis gemma4-pico"), again.stderr
    assert f"model {kept} with french.onnx_adapter\n" in again.stderr
    half.unlink()
    gone = chat("--continue")
    assert (gone.returncode, gone.stdout, len(gone.stderr.splitlines())) == (1, "", 1)
    assert f"there is no {half} any more" in gone.stderr
    # Named, the model is as it was named.
    assert chat(kept, "--continue").stdout.startswith("I am gemma4-pico")
