"""`edgekit inspect` as a person and a script see it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from one_line import assert_one_line_error

from edgekit import paths
from edgekit.convert.job import ConvertJob, convert

Command = Callable[..., "subprocess.CompletedProcess[str]"]
FRENCH = paths.demo_checkpoint().with_name("french")
KEYS = {
    *("path", "kind", "bytes", "architecture", "variant", "name", "parameters", "quantization", "context"),
    *("template", "base", "adapters", "tensors", "details", "problems"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pico")
    convert(ConvertJob(paths.demo_checkpoint(), folder, (), ("BF16", "Q8_0")))
    return folder


@pytest.mark.parametrize("name", ["checkpoint", "adapter", "gemma4-pico-Q8_0.gguf", "Modelfile"])
def test_one_object_with_the_promised_keys(name: str, made: Path, edgekit: Command) -> None:
    path = {"checkpoint": paths.demo_checkpoint(), "adapter": FRENCH}.get(name, made / name)
    result = edgekit("inspect", path, "--json")
    assert (result.returncode, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    assert found.keys() == KEYS
    assert found["path"] == str(path)
    assert all(group.keys() == {"part", "type", "count", "parameters", "bytes"} for group in found["tensors"])
    assert found["problems"] == []


@pytest.mark.parametrize("name", ["checkpoint", "adapter", "gemma4-pico-Q8_0.gguf", "Modelfile"])
def test_a_person_gets_a_screenful(name: str, made: Path, edgekit: Command) -> None:
    path = {"checkpoint": paths.demo_checkpoint(), "adapter": FRENCH}.get(name, made / name)
    result = edgekit("inspect", path)
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0].startswith(path.name)
    assert lines[-1] == "No problems found."
    assert len(lines) <= 24


def test_problems_are_said_with_their_names(made: Path, tmp_path: Path, edgekit: Command) -> None:
    copy = shutil.copytree(paths.demo_checkpoint(), tmp_path / "copy")
    (copy / "generation_config.json").write_text('{"eos_token_id": 1}')
    result = edgekit("inspect", copy)
    assert result.returncode == 0
    text = " ".join(result.stdout.split())
    assert "Problem: eos_token_id in generation_config.json is [1] and lacks" in text
    assert text.endswith("[no_turn_end]")
    [problem] = json.loads(edgekit("inspect", copy, "--json").stdout)["problems"]
    assert problem.keys() == {"name", "text"}


def test_two_files_are_compared(made: Path, edgekit: Command) -> None:
    pair = made / "gemma4-pico-BF16.gguf", made / "gemma4-pico-Q8_0.gguf"
    result = edgekit("inspect", *pair)
    assert result.returncode == 0
    assert "tensors are equal, byte by byte" in result.stdout
    assert "of another type" in result.stdout
    assert "general.file_type" in result.stdout
    assert "more rows with --json" in result.stderr
    assert len(result.stdout.splitlines()) <= 30
    found = json.loads(edgekit("inspect", *pair, "--json").stdout)
    assert found.keys() == {"first", "second", "equal", "tensors", "metadata"}
    assert found["tensors"][0].keys() == {"name", "what", "types", "shapes", "relative_difference"}
    assert found["metadata"][0].keys() == {"key", "first", "second"}
    same = edgekit("inspect", pair[0], pair[0])
    assert "The same:" in same.stdout


def test_a_model_and_its_projector_are_a_pair(made: Path, edgekit: Command) -> None:
    result = edgekit("inspect", made / "mmproj-gemma4-pico-BF16.gguf", made / "gemma4-pico-Q8_0.gguf")
    assert result.stdout.startswith("mmproj-gemma4-pico-BF16.gguf: projector")
    assert result.stdout.endswith("No problems found.\n")


def test_what_is_none_of_these_ends_in_one_line(made: Path, tmp_path: Path, edgekit: Command) -> None:
    (tmp_path / "x.gguf").write_bytes(b"nothing")
    (tmp_path / "cut.gguf").write_bytes((made / "gemma4-pico-Q8_0.gguf").read_bytes()[:5000])
    (tmp_path / "noise").write_bytes(bytes(range(256)))
    (tmp_path / "empty").mkdir()
    adapter = shutil.copytree(FRENCH, tmp_path / "adapter")
    (adapter / "adapter_model.safetensors").write_bytes(b"12345678901")
    for path, said in {
        tmp_path / "nowhere": "does not exist",
        tmp_path / "x.gguf": "is no GGUF file",
        tmp_path / "cut.gguf": "cut short or damaged",
        tmp_path / "noise": "cannot be read as text",
        tmp_path / "empty": "holds no config.json",
        adapter: "cut short or damaged",
        made: "is a folder of GGUF files",
        FRENCH / "adapter_model.safetensors": "name its folder",
    }.items():
        assert said in assert_one_line_error(edgekit("inspect", path)), path
    assert "are no pair" in assert_one_line_error(edgekit("inspect", FRENCH, FRENCH))
    assert "are no pair" in assert_one_line_error(edgekit("inspect", made / "Modelfile", FRENCH))
