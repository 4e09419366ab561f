"""What `edgekit inspect` finds out: what a thing is, what is wrong with it, and how two GGUF files differ."""

from __future__ import annotations

import json
import math
import random
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from oracles import peft_merge
from safetensors.numpy import load_file

from edgekit import paths
from edgekit.convert.inspection import comparable, compare, inspect, inspect_pair
from edgekit.convert.inspection.modelfile import read_modelfile
from edgekit.convert.inspection.report import part
from edgekit.convert.job import ConvertJob, convert
from edgekit.errors import EdgekitError, FileError
from edgekit.gguf_header import read_header

Made = Callable[[str], Path]
FRENCH = paths.demo_checkpoint().with_name("french")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the bundled model in two types, its projector and its Modelfile."""
    folder = tmp_path_factory.mktemp("pico")
    convert(ConvertJob(paths.demo_checkpoint(), folder, (), ("BF16", "Q8_0")))
    return folder


@pytest.fixture(scope="module")
def french(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("french")
    convert(ConvertJob(paths.demo_checkpoint(), folder, (FRENCH,), ("BF16",), name="gemma4-pico"))
    return folder


@pytest.fixture
def checkpoint_copy(tmp_path: Path) -> Path:
    return shutil.copytree(paths.demo_checkpoint(), tmp_path / "copy")


def names(report) -> list[str]:
    assert all("\n" not in problem.text for problem in report.problems)
    return [problem.name for problem in report.problems]


def test_a_checkpoint_is_summed_up() -> None:
    report = inspect(paths.demo_checkpoint())
    weights = load_file(paths.demo_checkpoint() / "model.safetensors")
    assert (report.kind, report.architecture) == ("checkpoint", "Gemma4ForConditionalGeneration")
    assert (
        report.parameters == sum(group.parameters for group in report.tensors) == sum(w.size for w in weights.values())
    )
    assert report.bytes == sum(group.bytes for group in report.tensors) == sum(w.nbytes for w in weights.values())
    assert sum(group.count for group in report.tensors) == len(weights)
    assert {group.type for group in report.tensors} == {"BF16"}
    assert (report.context, report.template, report.details["towers"]) == (32768, "own", "vision, audio")
    assert names(report) == []


def test_a_model_says_what_it_was_made_from(french: Path) -> None:
    report = inspect(french / "gemma4-pico-BF16.gguf")
    assert (report.kind, report.architecture, report.quantization) == ("text", "gemma4", "BF16")
    assert (report.base, report.adapters) == ("gemma4-pico", ["french"])
    header = read_header(report.path)
    assert report.parameters == sum(math.prod(place.shape) for place in header.tensors.values())
    assert sum(group.bytes for group in report.tensors) == sum(place.bytes for place in header.tensors.values())
    assert names(report) == []


def test_a_projector_is_known_with_its_towers(made: Path) -> None:
    report = inspect(made / "mmproj-gemma4-pico-BF16.gguf")
    assert (report.kind, report.details["towers"]) == ("projector", "vision, audio")
    assert {group.part for group in report.tensors} == {"vision", "audio"}
    assert names(report) == []


def test_the_released_variants_are_known_by_their_shapes(tmp_path: Path) -> None:
    from oracles.header_only import write_header_only

    from edgekit.catalog.load import variants

    for variant in variants():
        write_header_only(variant, "Q4_K_M", tmp_path / "x.gguf")
        report = inspect(tmp_path / "x.gguf")
        assert report.variant == variant.name
        assert {group.part for group in report.tensors} <= PARTS | ({"experts"} if variant.shape.num_experts else set())


PARTS = {
    *("token embeddings", "per-layer embeddings", "per-layer projections"),
    *("attention", "feed-forward", "norms and scales"),
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("model.vision_tower.encoder.layers.0.self_attn.q_proj.linear.weight", "vision"),
        ("model.embed_audio.embedding_projection.weight", "audio"),
        ("model.language_model.layers.3.experts.gate_up_proj", "experts"),
        ("model.language_model.layers.3.self_attn.q_norm.weight", "norms and scales"),
        ("mm.a.input_projection.weight", "audio"),
        ("v.blk.0.ffn_up.weight", "vision"),
        ("blk.0.attn_q.weight", "attention"),
        ("output.weight", "output"),
        ("something.else", "other"),
    ],
)
def test_every_tensor_belongs_to_a_part(name: str, expected: str) -> None:
    assert part(name) == expected


def test_an_adapter_is_described_by_its_settings() -> None:
    report = inspect(FRENCH)
    assert (report.kind, report.architecture, report.base) == ("adapter", "LORA", "gemma4-pico")
    assert (report.details["rank"], report.details["alpha"]) == ("8", "16")
    assert report.parameters == sum(w.size for w in load_file(FRENCH / "adapter_model.safetensors").values())
    assert names(report) == []


def test_an_adapter_is_checked_against_a_base_in_any_order(checkpoint: Made) -> None:
    base = paths.demo_checkpoint()
    for pair in ((FRENCH, base), (base, FRENCH)):
        report = inspect_pair(*pair)
        assert (report.kind, report.details["checked against"], names(report)) == ("adapter", str(base), [])
    assert names(inspect_pair(FRENCH, checkpoint("tiny"))) == ["adapter_of_another_base"]


def test_the_base_that_an_adapter_names_is_looked_at_where_it_is_here(checkpoint: Made, tmp_path: Path) -> None:
    adapter = shutil.copytree(FRENCH, tmp_path / "adapter")
    settings = json.loads((adapter / "adapter_config.json").read_text())
    for base, problems in ((paths.demo_checkpoint(), []), (checkpoint("tiny"), ["adapter_of_another_base"])):
        (adapter / "adapter_config.json").write_text(json.dumps(settings | {"base_model_name_or_path": str(base)}))
        assert names(inspect(adapter)) == problems


def test_an_adapter_that_cannot_be_merged_is_still_described(tmp_path: Path) -> None:
    adapter = shutil.copytree(FRENCH, tmp_path / "adapter")
    settings = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(settings | {"peft_type": "IA3"}))
    report = inspect(adapter)
    assert (report.architecture, names(report)) == ("IA3", ["not_mergeable"])


def test_peft_s_own_settings_are_shown(checkpoint: Made, tmp_path: Path) -> None:
    patterns = {"rank_pattern": {"q_proj": 8}, "use_rslora": True}
    adapter = peft_merge.make_adapter(checkpoint("tiny"), tmp_path / "a", **patterns)
    details = inspect(adapter).details
    assert details["ranks by name"] == '{"q_proj": 8}'
    assert details["rsLoRA"] == "true"


def test_llama_cpp_s_projector_lacks_its_gelu_and_nothing_else_differs(
    checkpoint: Made, llama: Made, tmp_path: Path
) -> None:
    convert(ConvertJob(checkpoint("tiny"), tmp_path, (), ("BF16",), name="x"))
    theirs = llama("tiny")
    assert names(inspect(theirs / "mmproj-BF16.gguf")) == ["no_use_gelu"]
    for ours, other in (("x-BF16.gguf", "BF16.gguf"), ("mmproj-x-BF16.gguf", "mmproj-BF16.gguf")):
        found = compare(tmp_path / ours, theirs / other)
        # The audio tower's softplus, which torch rounds otherwise in the last bit.
        assert all(one.name.endswith("per_dim_scale.weight") for one in found.tensors), found.tensors
        assert all(one.relative_difference < 1e-7 for one in found.tensors)
        assert found.equal + len(found.tensors) == len(read_header(tmp_path / ours).tensors)
        allowed = ("edgekit.", "general.", "clip.use_gelu")
        assert all(one.key.startswith(allowed) for one in found.metadata), found.metadata


def test_a_projector_of_another_model_is_found_beside_and_in_a_pair(
    made: Path, checkpoint: Made, tmp_path: Path
) -> None:
    convert(ConvertJob(checkpoint("tiny"), tmp_path, (), ("BF16",), name="x"))
    shutil.copy(made / "gemma4-pico-BF16.gguf", tmp_path / "pico.gguf")
    assert names(inspect(tmp_path / "pico.gguf")) == ["projector_of_another_model"]
    pair = (tmp_path / "pico.gguf", tmp_path / "mmproj-x-BF16.gguf")
    assert not comparable(*pair)
    for first, second in (pair, pair[::-1]):
        assert names(inspect_pair(first, second)) == ["projector_of_another_model"]
    # As soon as one fits, the others are no problem.
    shutil.copy(made / "mmproj-gemma4-pico-BF16.gguf", tmp_path)
    assert names(inspect(tmp_path / "pico.gguf")) == []


def test_impossible_numbers_are_a_problem(made: Path, tmp_path: Path) -> None:
    data = bytearray((made / "gemma4-pico-BF16.gguf").read_bytes())
    key = b"gemma4.block_count"
    at = data.index(key) + len(key) + 4
    data[at : at + 4] = struct.pack("<I", 99)
    (tmp_path / "x.gguf").write_bytes(data)
    assert "damaged" in names(inspect(tmp_path / "x.gguf"))


def edit(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_checkpoint_that_does_not_stop_is_found(checkpoint_copy: Path) -> None:
    edit(checkpoint_copy / "generation_config.json", eos_token_id=[1])
    assert names(inspect(checkpoint_copy)) == ["no_turn_end"]


@pytest.mark.parametrize("damage", ["tokenizer.json", "tokenizer_config.json"])
def test_a_missing_tokenizer_is_found(damage: str, checkpoint_copy: Path) -> None:
    (checkpoint_copy / damage).unlink()
    assert names(inspect(checkpoint_copy)) == ["tokenizer"]


def test_a_template_with_two_bos_is_found(checkpoint_copy: Path) -> None:
    template = checkpoint_copy / "chat_template.jinja"
    template.write_text("<bos>" + template.read_text())
    assert names(inspect(checkpoint_copy)) == ["double_bos"]


def test_an_adapter_inside_a_checkpoint_is_found(checkpoint_copy: Path) -> None:
    shutil.copy(FRENCH / "adapter_config.json", checkpoint_copy)
    report = inspect(checkpoint_copy)
    assert (report.kind, names(report)) == ("checkpoint", ["adapter_in_checkpoint"])


def test_a_checkpoint_that_edgekit_does_not_convert_is_described(checkpoint_copy: Path) -> None:
    edit(checkpoint_copy / "config.json", architectures=["LlamaForCausalLM"])
    report = inspect(checkpoint_copy)
    assert (report.architecture, names(report)) == ("LlamaForCausalLM", ["not_convertible"])


def test_a_modelfile_and_what_it_names_are_sound(made: Path) -> None:
    report = inspect(made / "Modelfile")
    assert (report.kind, report.architecture, report.quantization) == ("modelfile", "gemma4", "BF16")
    assert report.details["RENDERER"] == "gemma4-small"
    assert report.details["FROM"] == "./gemma4-pico-BF16.gguf, ./mmproj-gemma4-pico-BF16.gguf"
    assert report.details["PARAMETER top_k"] == "64"
    assert names(report) == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("./gemma4-pico-BF16.gguf", "./gemma4-pico-Q2_K.gguf", "missing_file"),
        ("RENDERER gemma4-small\n", "", "no_renderer"),
        ("RENDERER gemma4-small", "RENDERER gemma4-large", "renderer"),
        ("PARSER gemma4\n", "", "no_parser"),
        ("PARSER gemma4\n", "PARSER gemma4\nADAPTER ./french\n", "adapter"),
    ],
)
def test_what_is_wrong_with_a_modelfile_is_found(old: str, new: str, problem: str, made: Path) -> None:
    text = (made / "Modelfile").read_text()
    assert old in text
    path = made / f"{problem}.Modelfile"
    path.write_text(text.replace(old, new))
    assert names(inspect(path)) == [problem]


def test_a_modelfile_with_another_model_s_projector_is_found(made: Path, checkpoint: Made, tmp_path: Path) -> None:
    convert(ConvertJob(checkpoint("tiny"), tmp_path, (), ("BF16",), name="x"))
    path = made / "other.Modelfile"
    path.write_text((made / "Modelfile").read_text().replace("./mmproj-gemma4-pico", str(tmp_path / "mmproj-x")))
    assert names(inspect(path)) == ["projector_of_another_model"]


@pytest.mark.parametrize(
    "text", ["", "nothing\n", "SYSTEM x\n", 'FROM x\nSYSTEM """never ends\n', "FROM\n", "# only\n"]
)
def test_what_ollama_refuses_is_no_modelfile(text: str, tmp_path: Path) -> None:
    (tmp_path / "Modelfile").write_text(text)
    with pytest.raises(FileError):
        read_modelfile(tmp_path / "Modelfile")


def test_a_modelfile_is_read_as_ollama_does(tmp_path: Path) -> None:
    path = tmp_path / "Modelfile"
    path.write_text('\ufeff# x\nfrom ./a.gguf\r\nPARAMETER stop "<turn|>"\nSYSTEM """a "quoted"\n# no comment\n"""\n')
    assert read_modelfile(path) == [
        ("FROM", "./a.gguf"),
        ("PARAMETER", "stop <turn|>"),
        ("SYSTEM", 'a "quoted"\n# no comment\n'),
    ]


def test_a_file_is_the_same_as_itself_and_as_a_copy(made: Path, tmp_path: Path) -> None:
    copy = shutil.copy(made / "gemma4-pico-Q8_0.gguf", tmp_path)
    found = compare(made / "gemma4-pico-Q8_0.gguf", Path(copy))
    assert found.is_same
    assert found.equal == len(read_header(Path(copy)).tensors)


def values(path: Path, name: str) -> np.ndarray:
    place = read_header(path).tensors[name]
    return np.fromfile(path, ml_dtypes.bfloat16, math.prod(place.shape), offset=place.offset).astype(np.float64)


def test_a_fine_tune_differs_where_the_adapter_changed_it_and_by_how_much(made: Path, french: Path) -> None:
    paths_ = made / "gemma4-pico-BF16.gguf", french / "gemma4-pico-BF16.gguf"
    heard: list[tuple[float, float]] = []
    found = compare(*paths_, lambda done, total, text: heard.append((done, total)))
    assert {one.what for one in found.tensors} == {"values"}
    assert len(found.tensors) == len(load_file(FRENCH / "adapter_model.safetensors")) / 2
    for one in found.tensors:
        first, second = (values(path, one.name) for path in paths_)
        expected = np.linalg.norm(second - first) / np.linalg.norm(first)
        assert one.relative_difference == pytest.approx(expected, rel=1e-9)
    changed = {one.key for one in found.metadata}
    assert {"edgekit.adapters", "edgekit.ledger"} <= changed
    assert "tokenizer.ggml.tokens" not in changed
    assert heard[-1][0] == heard[-1][1]


def test_other_types_shapes_and_tensors_are_told_apart(made: Path, checkpoint: Made, tmp_path: Path) -> None:
    found = compare(made / "gemma4-pico-BF16.gguf", made / "gemma4-pico-Q8_0.gguf")
    assert {(one.what, one.types, one.relative_difference) for one in found.tensors} == {
        ("type", ("BF16", "Q8_0"), None)
    }
    convert(ConvertJob(checkpoint("tiny"), tmp_path, (), ("F32", "F16"), name="tiny"))
    between = compare(tmp_path / "tiny-F32.gguf", tmp_path / "tiny-F16.gguf")
    # The checkpoint's own bf16 values are F16 values, but for those too small for it.
    assert all(one.what == "type" and 0 <= one.relative_difference < 1e-6 for one in between.tensors)
    found = compare(made / "gemma4-pico-BF16.gguf", tmp_path / "tiny-F16.gguf")
    by_name = {one.name: one for one in found.tensors}
    assert by_name["token_embd.weight"].what == "shape"
    found = compare(made / "mmproj-gemma4-pico-BF16.gguf", tmp_path / "tiny-F16.gguf")
    assert {one.what for one in found.tensors} == {"only_first", "only_second"}


def test_a_change_of_one_bit_is_found(made: Path, tmp_path: Path) -> None:
    source = made / "gemma4-pico-BF16.gguf"
    place = read_header(source).tensors["blk.3.ffn_up.weight"]
    data = bytearray(source.read_bytes())
    data[place.offset + place.bytes - 2] ^= 1
    (tmp_path / "x.gguf").write_bytes(data)
    [one] = compare(source, tmp_path / "x.gguf").tensors
    assert (one.name, one.what) == (place.name, "values")
    assert one.relative_difference is not None
    assert 0 < one.relative_difference < 1e-3


def test_a_token_that_changed_is_found_among_the_metadata(made: Path, tmp_path: Path) -> None:
    source = made / "gemma4-pico-BF16.gguf"
    (tmp_path / "x.gguf").write_bytes(source.read_bytes().replace(b"<|turn>", b"<|turm>", 1))
    [one] = compare(source, tmp_path / "x.gguf").metadata
    assert one.key in ("tokenizer.ggml.tokens", "tokenizer.chat_template")


def test_damage_of_any_kind_is_one_of_our_errors(made: Path, tmp_path: Path) -> None:
    source = (made / "gemma4-pico-BF16.gguf").read_bytes()
    head = read_header(made / "gemma4-pico-BF16.gguf").data_offset
    dice = random.Random(0)
    path = tmp_path / "x.gguf"
    said = []
    for _ in range(150):
        data = bytearray(source)
        for _ in range(dice.randint(1, 8)):
            data[dice.randrange(head if dice.random() < 0.5 else 2000)] = dice.randrange(256)
        path.write_bytes(data[: dice.randrange(len(data))] if dice.random() < 0.2 else data)
        try:
            inspect(path)
            compare(made / "gemma4-pico-BF16.gguf", path)
        except EdgekitError as problem:
            said.append(str(problem))
    assert len(said) > 50
    assert not any("\n" in line for line in said)
