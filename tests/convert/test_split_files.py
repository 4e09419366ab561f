"""A model in several files: as llama.cpp's converter divides it, and read as one by llama.cpp and edgekit."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from gguf import GGMLQuantizationType
from one_line import assert_one_line_error
from oracles.gguf_compare import differences
from oracles.llama_converter import llama_convert
from oracles.ollama_grammar import parse

from edgekit import paths
from edgekit.convert.general import OWN_KEYS
from edgekit.convert.gguf_file import TensorInfo
from edgekit.convert.job import ConvertJob, convert
from edgekit.convert.shards import shards
from edgekit.errors import UnsupportedError

Made = Callable[[str], Path]
Command = Callable[..., "subprocess.CompletedProcess[str]"]
LIMIT = 200_000


@pytest.fixture(scope="module")
def pico(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The bundled model in one file and in parts."""
    made = []
    for limit in (None, LIMIT):
        folder = tmp_path_factory.mktemp("pico")
        result = convert(ConvertJob(paths.demo_checkpoint(), folder, name="pico", split_size=limit))
        made.append(result.outputs[0].path)
    return made[0], made[1]


@pytest.mark.parametrize("quantization", ["BF16", "Q8_0"])
def test_parts_are_those_of_llama_cpps_converter(quantization: str, checkpoint: Made, tmp_path: Path) -> None:
    source = checkpoint("tiny")
    llama_convert(source, tmp_path / "theirs", [quantization], options=["--split-max-size", str(LIMIT)])
    job = ConvertJob(source, tmp_path / "ours", (), (quantization,), "none", split_size=LIMIT)
    ours = [output.path for output in convert(job).outputs if output.kind == "text"]
    theirs = sorted((tmp_path / "theirs").iterdir())
    assert len(ours) > 3
    assert [path.name.removeprefix(f"{source.name}-") for path in ours] == [path.name for path in theirs]
    for one, other in zip(ours, theirs, strict=True):
        assert differences(one, other, allowed=frozenset(OWN_KEYS)) == [], one.name


def test_the_files_are_listed_and_ollama_is_told_of_all(checkpoint: Made, tmp_path: Path, edgekit: Command) -> None:
    asked = ["--name", "x", "--split-size", "300K", "--quant", "F16", "--json"]
    found = json.loads(edgekit("convert", checkpoint("tiny"), "--out", tmp_path, *asked).stdout)
    names = [Path(output["path"]).name for output in found["outputs"]]
    count = len(names) - 2
    assert names == [
        *(f"x-F16-{number:05d}-of-{count:05d}.gguf" for number in range(1, count + 1)),
        "mmproj-x-BF16.gguf",
        "Modelfile",
    ]
    assert {path.name for path in tmp_path.iterdir()} == set(names)
    lines = parse((tmp_path / "Modelfile").read_text(encoding="utf-8"))
    assert [value for name, value in lines if name == "FROM"] == [f"./{name}" for name in names[:-1]]
    inspected = json.loads(edgekit("inspect", tmp_path / "Modelfile", "--json").stdout)
    assert [problem["name"] for problem in inspected["problems"] if problem["name"] == "damaged"] == []
    again = edgekit("modelfile", tmp_path / names[0], "--out", tmp_path / "again")
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "again").read_text(encoding="utf-8") == (tmp_path / "Modelfile").read_text(encoding="utf-8")


def test_what_fits_into_one_file_is_one(checkpoint: Made, tmp_path: Path) -> None:
    job = ConvertJob(checkpoint("tiny"), tmp_path, name="x", split_size=10**9)
    assert [output.path.name for output in convert(job).outputs] == ["x-Q8_0.gguf", "mmproj-x-BF16.gguf", "Modelfile"]


def test_hundreds_of_files_are_refused() -> None:
    tensors = [TensorInfo(f"blk.{number}.weight", (32,), GGMLQuantizationType.F32) for number in range(201)]
    with pytest.raises(UnsupportedError, match="would make 201 files of x: choose a larger one"):
        shards(Path("x"), {}, tensors, 1)
    assert len(shards(Path("x.gguf"), {}, tensors, 256)) == 101


def test_llama_cpp_answers_from_parts_as_from_one_file(pico: tuple[Path, Path], edgekit: Command) -> None:
    assert "-00001-of-" in pico[1].name
    question = ["What is this?", "--image", paths.demo_samples() / "red-circle.png", "--temperature", "0"]
    answers = [edgekit("run", model, *question) for model in pico]
    assert answers[0].stdout == answers[1].stdout, answers[1].stderr
    assert "circle" in answers[1].stdout


def test_inspect_and_pick_take_parts_for_the_whole(pico: tuple[Path, Path], edgekit: Command) -> None:
    one, parts = (json.loads(edgekit("inspect", model, "--json").stdout) for model in pico)
    assert parts["parameters"] == one["parameters"]
    assert parts["tensors"] == one["tensors"]
    assert parts["problems"] == one["problems"]
    picked = [json.loads(edgekit("pick", "--model", model, "--no-measure", "--json").stdout) for model in pico]
    one, parts = (found["recommendation"]["memory"]["total"] for found in picked)
    # Each part has a header of its own.
    assert one < parts < one + 10_000


def test_parts_are_not_compared(pico: tuple[Path, Path], edgekit: Command) -> None:
    assert "join them with llama-gguf-split" in assert_one_line_error(edgekit("inspect", *pico))


def test_another_part_than_the_first_is_told_to_be_one(pico: tuple[Path, Path], edgekit: Command) -> None:
    second = next(pico[1].parent.glob("*-00002-of-*"))
    assert "name the first, which ends in -00001-of-" in assert_one_line_error(edgekit("run", second, "Hello"))


def test_a_missing_part_is_named(pico: tuple[Path, Path], tmp_path: Path, edgekit: Command) -> None:
    for path in pico[1].parent.iterdir():
        (tmp_path / path.name).symlink_to(path)
    lost = next(tmp_path.glob("*-00002-of-*"))
    lost.unlink()
    assert f"{lost.name} is missing" in assert_one_line_error(edgekit("run", tmp_path / pico[1].name, "Hello"))


def test_a_part_of_another_model_is_refused(pico: tuple[Path, Path], tmp_path: Path, edgekit: Command) -> None:
    for path in pico[1].parent.iterdir():
        (tmp_path / path.name).symlink_to(path)
    second, third = (next(tmp_path.glob(f"*-0000{number}-of-*")) for number in (2, 3))
    second.unlink()
    second.symlink_to(third.resolve())
    assert "is no part of" in assert_one_line_error(edgekit("run", tmp_path / pico[1].name, "Hello"))
