"""Modelfiles: what Ollama's grammar reads out of them, and where they come from."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from one_line import assert_one_line_error
from oracles.drafted_pair import random_pair
from oracles.ollama_grammar import parse

from edgekit import paths
from edgekit.convert.job import ConvertJob, convert
from edgekit.convert.modelfile import Dialect, Modelfile
from edgekit.convert.modelfile_grammar import read
from edgekit.convert.ollama import dialect, modelfile_for, read_model, released_modelfiles, sampling
from edgekit.errors import UnsupportedError

Made = Callable[[str], Path]
Command = Callable[..., "subprocess.CompletedProcess[str]"]
SMALL = Dialect("gemma4-small", "gemma4")
ATOMS = [f"{name} " for name in ("FROM", "system", "PARAMETER stop", "PARAMETER num_ctx 1", "MESSAGE user", "LICENSE")]
SAMPLING = [("PARAMETER", "temperature 1"), ("PARAMETER", "top_k 64"), ("PARAMETER", "top_p 0.95")]


def test_it_says_what_gemma_4_needs() -> None:
    text = Modelfile("a.gguf", "mmproj-a.gguf", SMALL, drafter="drafter.gguf", system="Be brief.").text()
    assert parse(text) == [
        ("FROM", "./a.gguf"),
        ("FROM", "./mmproj-a.gguf"),
        ("DRAFT", "./drafter.gguf"),
        ("TEMPLATE", "{{ .Prompt }}"),
        ("RENDERER", "gemma4-small"),
        ("PARSER", "gemma4"),
        *SAMPLING,
        ("PARAMETER", "draft_num_predict 3"),
        ("REQUIRES", "0.31.0"),
        ("SYSTEM", "Be brief."),
    ]


# Texts that are made of what is special in the grammar, and any others.
TEXTS = st.one_of(
    st.text(min_size=1),
    st.lists(st.sampled_from(['"', '""', '"""', "\n", "\r", " ", "\t", "#", "a", "\u200d", "\xa0"]), min_size=1).map(
        "".join
    ),
)


def taken(text: str) -> str:
    """A text without what Ollama's reader leaves out."""
    return "".join(letter for letter in text if letter.isprintable() or letter in "\t\r\n")


@given(TEXTS)
def test_any_system_text_comes_back_as_it_was_or_is_refused(system: str) -> None:
    closes_early = any(line.rstrip().endswith('"""') for line in re.split(r"[\r\n]", taken(system))[:-1])
    modelfile = Modelfile("a.gguf", system=system, parameters=(("stop", system), ("num_ctx", "8")))
    if closes_early:
        with pytest.raises(UnsupportedError, match='"""'):
            modelfile.text()
        return
    lines = parse(modelfile.text())
    assert lines[1:] == [
        ("PARAMETER", f"stop {taken(system)}"),
        ("PARAMETER", "num_ctx 8"),
        ("REQUIRES", "0.30.5"),
        ("SYSTEM", taken(system)),
    ]
    assert bool(modelfile.warnings()) == (taken(system) != system)


@given(st.lists(st.sampled_from([*ATOMS, "\n", "\r\n", " ", '"', '"""', "#", "x", "\x00", "\u200d"]), max_size=14))
def test_files_are_read_as_ollama_reads_them(pieces: list[str]) -> None:
    text = "FROM a\n" + "".join(pieces)
    try:
        wanted = parse(text)
    except (ValueError, KeyError):
        return
    assert read(text) == wanted


@pytest.mark.parametrize(
    "text", ["", "SYSTEM x", "FROM a\nNONE x", 'FROM a\nSYSTEM "x', "FROM a\nMESSAGE me x", "FROM"]
)
def test_what_ollama_refuses_is_refused(text: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        parse(text)
    with pytest.raises(UnsupportedError):
        read(text)


def test_an_empty_system_text_is_none() -> None:
    assert Modelfile("a.gguf", system="").text() == Modelfile("a.gguf").text()


def test_characters_that_ollama_leaves_out_are_said() -> None:
    [warning] = Modelfile("a.gguf", system="می‌خواهم").warnings()
    assert "U+200C ZERO WIDTH NON-JOINER" in warning


@pytest.mark.parametrize(
    ("name", "value"),
    [("num_ctx", "many"), ("temperature", "warm"), ("use_mmap", "maybe"), ("mirostat", "1"), ("x", "1")],
)
def test_parameters_that_ollama_would_refuse_are_refused(name: str, value: str) -> None:
    with pytest.raises(UnsupportedError, match=name):
        Modelfile("a.gguf", parameters=((name, value),)).text()


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
    assert lines[-1] == ("SYSTEM", 'Say "yes"')


def test_the_command_prints_without_an_out(converted: Path, edgekit: Command) -> None:
    result = edgekit("modelfile", converted / "mine-Q8_0.gguf")
    assert result.returncode == 0, result.stderr
    # Elsewhere than the files, only whole paths hold.
    assert dict(reversed(parse(result.stdout)))["FROM"] == str(converted / "mine-Q8_0.gguf")
    assert ("RENDERER", "gemma4-small") in parse(result.stdout)


def test_the_command_takes_parameters_and_a_parser_that_asks_for_no_thoughts(converted: Path, edgekit: Command) -> None:
    asked = [
        "--parameter",
        "num_ctx=1024",
        "--parameter",
        "stop=END",
        "--parameter",
        "stop= a",
        "--parameter",
        "top_k=1",
    ]
    result = edgekit("modelfile", converted / "mine-Q8_0.gguf", *asked, "--no-thinking")
    assert result.returncode == 0, result.stderr
    lines = parse(result.stdout)
    found = [value for name, value in lines if name == "PARAMETER"]
    assert found == ["temperature 1", "top_p 0.95", "num_ctx 1024", "stop END", "stop  a", "top_k 1"]
    assert ("PARSER", "gemma4-no-thinking") in lines


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("num_ctx=99999999", "trained for at most"),
        ("num_ctx=0", "trained for at most"),
        ("nonsense=1", "Ollama knows no parameter 'nonsense'"),
        ("mirostat=1", "Ollama knows no parameter 'mirostat'"),
        ("top_k=1.5", "top_k is of type int"),
        ("temperature=nan", "temperature is of type float"),
        ("stop=", "stop is a text"),
    ],
)
def test_parameters_that_make_no_sense_are_one_line(asked: str, said: str, converted: Path, edgekit: Command) -> None:
    assert said in assert_one_line_error(edgekit("modelfile", converted / "mine-Q8_0.gguf", "--parameter", asked))


def test_a_parameter_without_a_value_is_wrong_usage(converted: Path, edgekit: Command) -> None:
    assert edgekit("modelfile", converted / "mine-Q8_0.gguf", "--parameter", "num_ctx").returncode == 2


# Ollama has a renderer for FunctionGemma; for Gemma 3 it finds a template of its own.
@pytest.mark.parametrize(("name", "files"), [("gemma3", 2), ("gemma3-text", 1), ("gemma3n", 1)])
def test_prompts_that_ollama_has_no_renderer_for_are_left_to_it(
    name: str, files: int, checkpoint: Made, tmp_path: Path
) -> None:
    result = convert(ConvertJob(checkpoint(name), tmp_path, name="mine"))
    lines = parse((tmp_path / "Modelfile").read_text(encoding="utf-8"))
    assert [name for name, _ in lines] == ["FROM"] * files + ["PARAMETER"] * 3 + ["REQUIRES"]
    header = read_model(result.outputs[0].path)
    projector = next((output.path for output in result.outputs if output.kind == "projector"), None)
    assert modelfile_for(header, tmp_path, projector=projector).text() == (tmp_path / "Modelfile").read_text("utf-8")


def test_a_dialect_follows_architecture_and_template() -> None:
    large = {"general.architecture": "gemma4"}
    small = large | {"gemma4.embedding_length_per_layer_input": 256}
    thinking = "{% if enable_thinking %}"
    assert dialect(small, thinking) == Dialect("gemma4-small", "gemma4")
    assert dialect(large, thinking) == Dialect("gemma4-large", "gemma4")
    assert dialect(large, "no thoughts") == Dialect("gemma4-large", "gemma4-no-thinking")
    assert dialect(large, thinking, think=False) == Dialect("gemma4-large", "gemma4-no-thinking")
    calls = dialect({"general.architecture": "gemma3"}, "<start_function_call>")
    assert calls == Dialect("functiongemma", "functiongemma")
    assert dialect({"general.architecture": "qwen3"}, thinking) is None


def test_what_the_file_says_of_sampling_stands_before_googles_defaults() -> None:
    own = {"general.architecture": "gemma4", "general.sampling.temp": 0.699999988, "general.sampling.min_p": 0.05}
    assert sampling(own) == (("temperature", "0.7"), ("top_k", "64"), ("top_p", "0.95"), ("min_p", "0.05"))
    assert sampling({"general.architecture": "llama"}) == ()


def test_a_drafter_stands_in_its_own_line(checkpoint: Made, converted: Path, tmp_path: Path, edgekit: Command) -> None:
    drafter = random_pair(tmp_path).drafter
    result = edgekit("modelfile", converted / "mine-Q8_0.gguf", "--drafter", drafter)
    assert result.returncode == 0, result.stderr
    lines = parse(result.stdout)
    assert ("DRAFT", str(drafter)) in lines
    assert ("PARAMETER", "draft_num_predict 3") in lines
    assert ("REQUIRES", "0.31.0") in lines
    assert "name the model it drafts for" in assert_one_line_error(edgekit("modelfile", drafter))
    other = convert(ConvertJob(checkpoint("drafter"), tmp_path / "other", name="other")).outputs[0].path
    said = assert_one_line_error(edgekit("modelfile", converted / "mine-Q8_0.gguf", "--drafter", other))
    assert "drafts for another model" in said
    gemma3 = convert(ConvertJob(checkpoint("gemma3-text"), tmp_path / "gemma3", name="three")).outputs[0].path
    assert "no Gemma 4" in assert_one_line_error(edgekit("modelfile", gemma3, "--drafter", drafter))


def test_the_released_ones_name_their_drafters() -> None:
    for path in paths.modelfiles_directory().glob("*.Modelfile"):
        text = path.read_text(encoding="utf-8")
        # Two comments become the lines that they say.
        drafted = re.sub(r"^#   ", "", text, flags=re.M)
        lines = dict(parse(drafted))
        assert lines["DRAFT"] == f"./{path.stem}-assistant-Q8_0.gguf"
        assert sum(name == "FROM" for name, _ in parse(text)) == 2
        assert ("PARSER", "gemma4") in parse(text)


def test_the_command_refuses_what_ollama_cannot_answer_with(converted: Path, tmp_path: Path, edgekit: Command) -> None:
    writer = gguf.GGUFWriter(tmp_path / "llama.gguf", "llama")
    writer.add_tensor("x", np.zeros(32, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    cut = tmp_path / "cut.gguf"
    cut.write_bytes((converted / "mine-Q8_0.gguf").read_bytes()[:200_000])
    for path, reason in [
        # It has no blocks.
        (tmp_path / "llama.gguf", "damaged"),
        (cut, "cut short"),
        (converted / "mmproj-mine-BF16.gguf", "projector"),
        (tmp_path / "absent.gguf", "does not exist"),
    ]:
        assert reason in assert_one_line_error(edgekit("modelfile", path))
    said = assert_one_line_error(edgekit("modelfile", converted / "mine-Q8_0.gguf", "--drafter", "/nope"))
    assert "name the GGUF of the MTP drafter" in said
    assert "edgekit convert" not in said
