"""`edgekit pick --model`: one file's memory, settings and next command."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from one_line import assert_one_line_error
from oracles.foreign import write_llama
from oracles.header_only import write_header_only
from oracles.pico import q8_plan

from edgekit.catalog.load import variants
from edgekit.fit.plan import Plan

__all__ = ["q8_plan"]

VARIANTS = {variant.name: variant for variant in variants()}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("files")
    for name in ("E2B", "31B"):
        write_header_only(VARIANTS[name], "Q4_K_M", folder / name)
    write_llama(folder / "llama")
    return {name: folder / name for name in ("E2B", "31B", "llama")}


def picked(edgekit, file: Path, *arguments: object) -> dict:
    done = edgekit("pick", "--model", file, "--profile", "laptop-8gb", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    (candidate,) = found["candidates"]
    assert found["recommendation"] == (candidate if candidate["fits"] else None)
    memory = candidate["memory"]
    assert memory["total"] == sum(line["bytes"] for line in memory["lines"])
    assert candidate["fits"] is (memory["needed"] <= memory["budget"]["host"])
    return candidate


def test_a_file_that_fits(edgekit, files):
    found = picked(edgekit, files["E2B"], "--context", 4096)
    assert (found["variant"], found["quantization"], found["context"], found["fits"]) == ("E2B", "Q4_K_M", 4096, True)
    pages = sum(line["bytes"] for line in found["memory"]["lines"] if line["where"] == "file")
    assert pages == files["E2B"].stat().st_size
    assert shlex.split(found["next_command"])[:3] == ["edgekit", "chat", str(files["E2B"])]
    assert found["decode_tokens_per_second"]["low"] > 0


def test_a_file_that_does_not_fit(edgekit, files):
    found = picked(edgekit, files["31B"])
    assert found["shortfall"] > 8 << 30
    assert found["next_command"] is None
    assert "a machine with 24 GB would hold it" in found["reason"]


def test_another_architecture(edgekit, files):
    found = picked(edgekit, files["llama"])
    assert (found["variant"], found["architecture"], found["fits"]) == (None, "llama", True)
    assert found["memory"]["basis"] == "llama.cpp's own dry run of the file"
    keys = next(line["bytes"] for line in found["memory"]["lines"] if line["what"] == "kv_full")
    # 16 layers of 8 heads of 64, keys and values at F16.
    assert keys == found["context"] * 16 * 8 * 64 * 2 * 2


def test_the_bundled_model_with_its_projector(edgekit, q8_plan: Plan):
    found = picked(edgekit, q8_plan.model, "--projector", q8_plan.projector)
    assert {"projector", "projector_compute"} <= {line["what"] for line in found["memory"]["lines"]}
    assert str(q8_plan.projector) in shlex.split(found["next_command"])


def test_for_people(edgekit, files):
    done = edgekit("pick", "--model", files["E2B"], "--profile", "laptop-8gb", "--explain")
    assert done.returncode == 0
    assert [word for word in ("Fits with", "per layer embeddings", "edgekit chat") if word not in done.stdout] == []


@pytest.mark.parametrize("change", ["missing", "text", "cut"])
def test_a_file_that_is_none_is_refused_in_one_line(edgekit, files, tmp_path, change):
    file = tmp_path / "model.gguf"
    if change == "text":
        file.write_text("no model")
    if change == "cut":
        with files["E2B"].open("rb") as whole:
            file.write_bytes(whole.read(20_000))
    assert_one_line_error(edgekit("pick", "--model", file, "--no-measure"))


def test_what_llama_cpp_does_not_know_is_refused_in_one_line(edgekit, tmp_path):
    file = tmp_path / "model.gguf"
    write_llama(file)
    with file.open("r+b") as opened:
        keys = opened.read(4096).replace(b"llama", b"lhama")
        opened.seek(0)
        opened.write(keys)
    assert_one_line_error(edgekit("pick", "--model", file, "--no-measure"))


def test_a_context_beyond_the_models_own_is_refused(edgekit, files):
    assert_one_line_error(edgekit("pick", "--model", files["E2B"], "--context", 200_000, "--no-measure"))


def test_a_projector_of_another_model_is_refused(edgekit, files, q8_plan: Plan):
    assert_one_line_error(edgekit("pick", "--model", files["E2B"], "--projector", q8_plan.projector, "--no-measure"))


def test_a_projector_alone_is_wrong_usage(edgekit, q8_plan: Plan):
    assert edgekit("pick", "--projector", q8_plan.projector, "--no-measure").returncode == 2


def test_one_part_of_several_is_refused(edgekit, tmp_path):
    file = tmp_path / "model-00001-of-00002.gguf"
    write_header_only(VARIANTS["E2B"], "Q4_0", file, parts=2)
    assert "2 parts" in assert_one_line_error(edgekit("pick", "--model", file, "--no-measure"))


@pytest.mark.parametrize(
    "option", [("--all",), ("--prefer", "speed"), ("--policy", "guide"), ("--profiles",)], ids=lambda words: words[0]
)
def test_an_option_that_chooses_has_no_meaning_where_the_model_is_chosen(edgekit, files, option):
    done = edgekit("pick", "--model", files["E2B"], "--no-measure", *option)
    assert (done.returncode, done.stdout) == (2, "")
    assert "it has no meaning with" in done.stderr


def test_the_projector_beside_a_file_is_judged_as_the_chat_loads_it(edgekit, q8_plan: Plan):
    found = picked(edgekit, q8_plan.model, "--for", "image", "--for", "audio")
    assert found["projector"] == str(q8_plan.projector)
    assert "projector" in {line["what"] for line in found["memory"]["lines"]}


def test_pictures_without_a_projector_are_refused(edgekit, files):
    line = assert_one_line_error(edgekit("pick", "--model", files["E2B"], "--for", "image", "--no-measure"))
    assert "E2B is not for image" in line
    assert "--projector" in line
