"""Modelfiles: what Ollama's grammar reads out of them, and where they come from."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from one_line import assert_one_line_error
from oracles.ollama_grammar import parse

from edgekit import paths
from edgekit.convert.job import ConvertJob, convert
from edgekit.convert.modelfile import Modelfile
from edgekit.convert.ollama import released_modelfiles
from edgekit.errors import UnsupportedError

Made = Callable[[str], Path]
Command = Callable[..., "subprocess.CompletedProcess[str]"]
SAMPLING = [("PARAMETER", "temperature 1"), ("PARAMETER", "top_k 64"), ("PARAMETER", "top_p 0.95")]


def test_it_says_what_gemma_4_needs() -> None:
    text = Modelfile("a.gguf", "mmproj-a.gguf", drafter="drafter.gguf", system="Be brief.").text()
    assert parse(text) == [
        ("FROM", "./a.gguf"),
        ("FROM", "./mmproj-a.gguf"),
        ("DRAFT", "./drafter.gguf"),
        ("TEMPLATE", "{{ .Prompt }}"),
        ("RENDERER", "gemma4-small"),
        ("PARSER", "gemma4"),
        *SAMPLING,
        ("PARAMETER", "draft_num_predict 3"),
        ("REQUIRES", "0.30.5"),
        ("SYSTEM", "Be brief."),
    ]


# Ollama drops what no printer prints, and reads both CR and LF as the end of a line.
@given(st.text(st.characters(blacklist_categories=["Cc", "Cs"]) | st.sampled_from('"\n#'), min_size=1))
def test_any_system_text_comes_back_as_it_was_or_is_refused(system: str) -> None:
    try:
        text = Modelfile("a.gguf", system=system).text()
    except UnsupportedError:
        refused = True
    else:
        refused = False
    assert refused == ('"""' in system)
    if refused:
        return
    name, value = parse(text)[-1]
    assert name == "SYSTEM"
    assert value in (system, f"{system}\n")


def test_an_empty_system_text_is_none() -> None:
    assert Modelfile("a.gguf", system="").text() == Modelfile("a.gguf").text()


def test_three_quotes_in_a_system_text_are_refused() -> None:
    with pytest.raises(UnsupportedError, match='"""'):
        Modelfile("a.gguf", system='say """ now').text()


@pytest.mark.parametrize("path", ["a\nFROM b.gguf", '"a.gguf', " a.gguf"])
def test_a_path_that_would_be_read_as_something_else_is_refused(path: str) -> None:
    with pytest.raises(UnsupportedError, match="rename"):
        Modelfile(path).text()


def test_a_conversion_writes_one_that_names_its_files(checkpoint: Made, tmp_path: Path) -> None:
    result = convert(ConvertJob(checkpoint("tiny"), tmp_path, (), ("Q4_0", "Q8_0"), name="mine"))
    lines = parse((tmp_path / "Modelfile").read_text(encoding="utf-8"))
    assert [value for name, value in lines if name == "FROM"] == ["./mine-Q4_0.gguf", "./mmproj-mine-BF16.gguf"]
    assert result.outputs[-1].path == tmp_path / "Modelfile"


@pytest.mark.parametrize(("projector", "expected"), [("auto", 2), ("none", 1)])
def test_a_model_without_a_projector_has_one_from_line(
    projector: str, expected: int, checkpoint: Made, tmp_path: Path
) -> None:
    convert(ConvertJob(checkpoint("tiny"), tmp_path, (), ("Q8_0",), projector))
    lines = parse((tmp_path / "Modelfile").read_text(encoding="utf-8"))
    assert sum(name == "FROM" for name, _ in lines) == expected


def test_the_released_ones_are_what_would_be_made_today() -> None:
    folder = paths.modelfiles_directory()
    made = {name: modelfile.text() for name, modelfile in released_modelfiles().items()}
    assert {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.Modelfile")} == made
    renderers = {name: dict(parse(text))["RENDERER"] for name, text in made.items()}
    small = {"gemma-4-E2B-it.Modelfile", "gemma-4-E4B-it.Modelfile"}
    large = {f"gemma-4-{variant}-it.Modelfile" for variant in ("12B", "26B-A4B", "31B")}
    assert renderers == dict.fromkeys(small, "gemma4-small") | dict.fromkeys(large, "gemma4-large")


@pytest.fixture(scope="module")
def converted(checkpoint: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("converted")
    convert(ConvertJob(checkpoint("tiny"), folder, (), ("Q8_0",), name="mine"))
    (folder / "Modelfile").unlink()
    return folder


def test_the_command_finds_the_projector_and_writes_beside(converted: Path, edgekit: Command) -> None:
    out = converted / "Modelfile"
    result = edgekit("modelfile", converted / "mine-Q8_0.gguf", "--system", 'Say "yes"', "--out", out)
    assert result.returncode == 0, result.stderr
    lines = parse(out.read_text(encoding="utf-8"))
    out.unlink()
    assert lines[:2] == [("FROM", "./mine-Q8_0.gguf"), ("FROM", "./mmproj-mine-BF16.gguf")]
    assert lines[-1] == ("SYSTEM", 'Say "yes"\n')


def test_the_command_prints_without_an_out(converted: Path, edgekit: Command) -> None:
    result = edgekit("modelfile", converted / "mine-Q8_0.gguf")
    assert result.returncode == 0, result.stderr
    # Elsewhere than the files, only whole paths hold.
    assert dict(reversed(parse(result.stdout)))["FROM"] == str(converted / "mine-Q8_0.gguf")
    assert ("RENDERER", "gemma4-small") in parse(result.stdout)


def test_the_command_refuses_what_is_no_gemma_4(converted: Path, tmp_path: Path, edgekit: Command) -> None:
    writer = gguf.GGUFWriter(tmp_path / "llama.gguf", "llama")
    writer.add_tensor("x", np.zeros(32, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    cut = tmp_path / "cut.gguf"
    cut.write_bytes((converted / "mine-Q8_0.gguf").read_bytes()[:200_000])
    for path, reason in [
        (tmp_path / "llama.gguf", "llama"),
        (cut, "cut short"),
        (converted / "mmproj-mine-BF16.gguf", "projector"),
        (tmp_path / "absent.gguf", "does not exist"),
    ]:
        assert reason in assert_one_line_error(edgekit("modelfile", path))
    said = assert_one_line_error(edgekit("modelfile", converted / "mine-Q8_0.gguf", "--drafter", "/nope"))
    assert "name the GGUF of the MTP drafter" in said
    assert "edgekit convert" not in said
