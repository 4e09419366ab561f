"""`--to safetensors`: the merged checkpoint against a float64 merge, transformers and the source's own bytes."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import torch
from one_line import assert_one_line_error
from oracles import peft_merge
from safetensors.torch import load_file
from transformers import AutoTokenizer, Gemma4ForConditionalGeneration

from edgekit.convert.checkpoint import Checkpoint
from edgekit.convert.job import ConvertJob, ConvertResult, convert
from edgekit.convert.rounding import rounded
from edgekit.convert.whole_file import WholeFile
from edgekit.errors import FileError
from edgekit.gguf_header import read_header

Made = Callable[[str], Path]
Command = Callable[..., "subprocess.CompletedProcess[str]"]
# One file in bf16, f16 and f32, and shards with an index and projections that nothing uses.
NAMES = ["tiny", "half", "single", "released"]


@pytest.fixture(scope="module")
def adapter(checkpoint: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return peft_merge.make_adapter(checkpoint("tiny"), tmp_path_factory.mktemp("adapter") / "french")


@pytest.fixture(scope="module")
def merged(checkpoint: Made, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Path, Path]]:
    """Return a checkpoint by its name, an adapter for it and the two merged."""
    folder = tmp_path_factory.mktemp("merged")

    def make(name: str) -> tuple[Path, Path, Path]:
        source, adapter, out = checkpoint(name), folder / f"{name}-adapter", folder / name
        if not out.exists():
            # transformers cannot attach an adapter to projections that it does not load.
            peft_merge.make_adapter(checkpoint("tiny") if name == "released" else source, adapter)
            convert(job(source, out, adapter))
        return source, adapter, out

    return make


def job(source: Path, out: Path, *adapters: Path) -> ConvertJob:
    return ConvertJob(source, out, adapters, to="safetensors")


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return {name: tensor for path in sorted(folder.glob("*.safetensors")) for name, tensor in load_file(path).items()}


def expected(source: Path, adapter: Path) -> dict[str, torch.Tensor]:
    """Return the merge in float64, rounded once by torch, of every weight that the adapter changes."""
    settings = json.loads((adapter / "adapter_config.json").read_text())
    halves = {
        name.removeprefix("base_model.model."): tensor.double()
        for name, tensor in load_file(adapter / "adapter_model.safetensors").items()
    }
    made = {}
    for name, weight in weights(source).items():
        module = name.removesuffix(".weight")
        low, high = (halves.get(f"{module}.lora_{half}.weight") for half in "AB")
        if low is not None and high is not None:
            made[name] = weight.double() + settings["lora_alpha"] / settings["r"] * (high @ low)
    return made


@pytest.mark.parametrize("name", NAMES)
def test_merged_tensors_are_a_float64_merge_rounded_once_and_the_others_untouched(
    name: str, merged: Callable[[str], tuple[Path, Path, Path]]
) -> None:
    source, adapter, out = merged(name)
    before, after, wanted = weights(source), weights(out), expected(source, adapter)
    assert list(after) == list(before)
    assert len(wanted) == len(load_file(adapter / "adapter_model.safetensors")) / 2
    for tensor, value in after.items():
        assert value.dtype == before[tensor].dtype
        if tensor not in wanted:
            assert torch.equal(value, before[tensor]), tensor
            continue
        assert not torch.equal(value, before[tensor]), tensor
        # Two float64 sums in another order may differ in their last bits, hence the slack of a billionth.
        half_a_step = nearest_step(value) / 2
        assert ((value.double() - wanted[tensor]).abs() <= half_a_step * (1 + 1e-6) + 1e-12).all(), tensor


def nearest_step(values: torch.Tensor) -> torch.Tensor:
    """Return the distance between neighbours around each value in its type."""
    info = torch.finfo(values.dtype)
    exponent = torch.floor(torch.log2(values.double().abs().clamp(min=info.smallest_normal)))
    return torch.exp2(exponent) * info.eps


@pytest.mark.parametrize("name", NAMES)
def test_headers_shards_index_and_companions_are_the_source_s(
    name: str, merged: Callable[[str], tuple[Path, Path, Path]]
) -> None:
    source, adapter, out = merged(name)
    changed = expected(source, adapter)
    assert sorted(path.name for path in out.iterdir()) == sorted(path.name for path in source.iterdir())
    for path in source.iterdir():
        before, after = path.read_bytes(), (out / path.name).read_bytes()
        if path.suffix != ".safetensors":
            assert after == before, path.name
            continue
        length = int.from_bytes(before[:8], "little")
        assert after[: 8 + length] == before[: 8 + length]
        header = json.loads(before[8 : 8 + length])
        for tensor, entry in header.items():
            if tensor not in changed and tensor != "__metadata__":
                begin, end = (8 + length + offset for offset in entry["data_offsets"])
                assert after[begin:end] == before[begin:end], tensor


def test_transformers_loads_it_and_answers_as_peft_s_merge(
    merged: Callable[[str], tuple[Path, Path, Path]], tmp_path: Path
) -> None:
    source, adapter, out = merged("single")
    ours, info = Gemma4ForConditionalGeneration.from_pretrained(out, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert ours.generation_config.eos_token_id == [1, 6]
    theirs = Gemma4ForConditionalGeneration.from_pretrained(peft_merge.merge(source, [adapter], tmp_path / "peft"))
    base = Gemma4ForConditionalGeneration.from_pretrained(source)
    tokenizer = AutoTokenizer.from_pretrained(out)
    prompt = tokenizer.apply_chat_template([{"role": "user", "content": "red circle"}], return_tensors="pt")[
        "input_ids"
    ]
    with torch.no_grad():
        answers = [model.eval()(input_ids=prompt).logits for model in (ours, theirs, base)]
    assert (answers[0] - answers[1]).abs().max() < 1e-4
    assert (answers[0] - answers[2]).abs().max() > 0.1


def test_what_is_made_converts_to_the_same_gguf_as_merging_on_the_way(
    merged: Callable[[str], tuple[Path, Path, Path]], tmp_path: Path
) -> None:
    source, adapter, out = merged("single")
    first = convert(ConvertJob(source, tmp_path / "a", (adapter,), ("F32",), name="x"))
    second = convert(ConvertJob(out, tmp_path / "b", (), ("F32",), name="x"))
    # Behind the headers, which name the base and the adapter.
    for one, other in zip(first.outputs[:2], second.outputs[:2], strict=True):
        headers = read_header(one.path), read_header(other.path)
        # Everything behind the headers, which name the base and the adapter.
        tails = [header.path.read_bytes()[header.data_offset :] for header in headers]
        assert tails[0] == tails[1]


def test_json_lists_every_file_and_the_ledger(
    checkpoint: Made, adapter: Path, tmp_path: Path, edgekit: Command
) -> None:
    asked = ["convert", checkpoint("tiny"), "--adapter", adapter, "--to", "safetensors", "--out", tmp_path / "out"]
    planned = json.loads(edgekit(*asked, "--json", "--dry-run").stdout)
    assert list(tmp_path.iterdir()) == []
    result = edgekit(*asked, "--json")
    assert (result.returncode, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    assert [output | {"sha256": ""} for output in found["outputs"]] == planned["outputs"]
    assert {output["kind"] for output in found["outputs"]} == {"checkpoint"}
    assert {Path(output["path"]).name for output in found["outputs"]} == {p.name for p in (tmp_path / "out").iterdir()}
    for output in found["outputs"]:
        data = Path(output["path"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (output["bytes"], output["sha256"])
    assert {entry["status"] for entry in found["ledger"]} == {"merged"}
    assert all(entry["relative_change"] > 0 for entry in found["ledger"])


def test_people_are_told_what_to_do_with_it(checkpoint: Made, adapter: Path, tmp_path: Path, edgekit: Command) -> None:
    out = tmp_path / "out"
    result = edgekit("convert", checkpoint("tiny"), "--adapter", adapter, "--to", "safetensors", "--out", out)
    assert result.returncode == 0
    assert "72 of 72 adapter tensors merged" in result.stdout
    assert f"Next: edgekit convert {out}" in result.stderr


@pytest.mark.parametrize("option", [("--quant", "Q8_0"), ("--projector", "F16")])
def test_a_quantization_of_a_checkpoint_is_wrong_usage(
    option: tuple[str, str], checkpoint: Made, adapter: Path, edgekit: Command
) -> None:
    asked = ["convert", checkpoint("tiny"), "--adapter", adapter, "--to", "safetensors", *option]
    assert edgekit(*asked).returncode == 2


def test_without_an_adapter_there_is_nothing_to_merge(checkpoint: Made, tmp_path: Path, edgekit: Command) -> None:
    result = edgekit("convert", checkpoint("tiny"), "--to", "safetensors", "--out", tmp_path / "out")
    assert "nothing to merge" in assert_one_line_error(result)


def test_a_folder_with_other_files_is_refused(checkpoint: Made, adapter: Path, tmp_path: Path) -> None:
    (tmp_path / "model-00001-of-00009.safetensors").write_bytes(b"of something else")
    with pytest.raises(FileError, match="holds other files, such as model-00001-of-00009"):
        convert(job(checkpoint("tiny"), tmp_path, adapter))
    assert len(list(tmp_path.iterdir())) == 1


def test_the_source_is_never_written_over(checkpoint: Made, adapter: Path, tmp_path: Path) -> None:
    source = checkpoint("tiny")
    (tmp_path / "link").symlink_to(source)
    for out in (source, adapter, tmp_path / "link"):
        with pytest.raises(FileError, match="holds what is to be converted"):
            convert(job(source, out, adapter))


def test_an_adapter_config_beside_the_base_is_left_behind(checkpoint: Made, adapter: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for path in checkpoint("tiny").iterdir():
        (source / path.name).write_bytes(path.read_bytes())
    (source / "adapter_config.json").write_text("{}")
    convert(job(source, tmp_path / "out", adapter))
    assert not (tmp_path / "out" / "adapter_config.json").exists()


def test_further_templates_come_along(checkpoint: Made, adapter: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "additional_chat_templates").mkdir(parents=True)
    for path in checkpoint("tiny").iterdir():
        (source / path.name).write_bytes(path.read_bytes())
    (source / "additional_chat_templates" / "tools.jinja").write_text("tools")
    convert(job(source, tmp_path / "out", adapter))
    assert (tmp_path / "out" / "additional_chat_templates" / "tools.jinja").read_text() == "tools"


# Merges into a folder and kills itself when a file has taken its name: argument 4 says which one.
KILLED = """
import os, signal, sys
from pathlib import Path
from edgekit.convert.job import ConvertJob, convert
from edgekit.convert.whole_file import WholeFile
publish, left = WholeFile._publish, [int(sys.argv[4])]
def publish_or_die(file):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    publish(file)
WholeFile._publish = publish_or_die
convert(ConvertJob(Path(sys.argv[1]), Path(sys.argv[2]), (Path(sys.argv[3]),), to="safetensors"))
"""


@pytest.mark.parametrize("earlier", [False, True])
def test_a_killed_merge_leaves_nothing_that_loads(
    earlier: bool, checkpoint: Made, adapter: Path, tmp_path: Path
) -> None:
    source, out = checkpoint("released"), tmp_path / "out"
    whole = convert(job(source, tmp_path / "whole", adapter))
    for published in range(len(whole.outputs)):
        if earlier:
            convert(job(source, out, adapter))
        line = [sys.executable, "-c", KILLED, str(source), str(out), str(adapter), str(published)]
        assert subprocess.run(line, capture_output=True, timeout=120, check=False).returncode == -signal.SIGKILL
        assert len([path for path in out.iterdir() if not path.name.startswith(".")]) >= published
        with pytest.raises(FileError, match=r"holds no config\.json"):
            Checkpoint(out)
        # Next time it goes through, and no leftover stays.
        again = convert(job(source, out, adapter))
        assert digests(again) == digests(whole)
        assert {path.name for path in out.iterdir()} == {path.name for path in (tmp_path / "whole").iterdir()}
        if not earlier:
            for path in out.iterdir():
                path.unlink()


def digests(result: ConvertResult) -> list[tuple[str, str]]:
    return [(output.path.name, output.sha256) for output in result.outputs]


def test_an_error_in_the_middle_leaves_nothing(checkpoint: Made, adapter: Path, tmp_path: Path) -> None:
    def fail(done: float, total: float, text: str) -> None:
        if done > total / 2:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        convert(job(checkpoint("released"), tmp_path / "new" / "out", adapter), fail)
    assert list(tmp_path.iterdir()) == []


def test_a_source_that_shrinks_is_noticed(checkpoint: Made, adapter: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for path in checkpoint("tiny").iterdir():
        (source / path.name).write_bytes(path.read_bytes())

    def shrink(done: float, total: float, text: str) -> None:
        os.truncate(source / "model.safetensors", 10_000)

    with pytest.raises(FileError, match="became shorter"):
        convert(job(source, tmp_path / "out", adapter), shrink)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_progress_counts_every_byte_of_the_shards(checkpoint: Made, adapter: Path, tmp_path: Path) -> None:
    heard: list[tuple[float, float]] = []
    source = checkpoint("released")
    convert(job(source, tmp_path, adapter), lambda done, total, text: heard.append((done, total)))
    size = sum(path.stat().st_size for path in source.glob("*.safetensors"))
    assert heard[-1] == (size, size)
    assert heard == sorted(heard)


def test_a_change_too_large_for_the_type_is_refused(checkpoint: Made, tmp_path: Path) -> None:
    adapter = peft_merge.make_adapter(checkpoint("half"), tmp_path / "huge", size=500)
    with pytest.raises(FileError, match="becomes NaN or infinity in F16"):
        convert(job(checkpoint("half"), tmp_path / "out", adapter))


def test_the_order_of_publishing_ends_with_the_config(
    checkpoint: Made, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = []
    publish = WholeFile._publish

    def remember(file: WholeFile) -> None:
        published.append(file.path.name)
        publish(file)

    monkeypatch.setattr(WholeFile, "_publish", remember)
    convert(job(checkpoint("tiny"), tmp_path, adapter))
    assert (published[0], published[-1]) == ("model.safetensors", "config.json")


@pytest.mark.parametrize("type", ["BF16", "F16", "F32"])
def test_rounding_is_to_the_nearest_and_ties_go_to_even(type: str) -> None:
    dtype = {"BF16": ml_dtypes.bfloat16, "F16": np.float16, "F32": np.float32}[type]
    word = np.uint32 if type == "F32" else np.uint16
    dice = np.random.default_rng(0)
    lower = np.abs(dice.standard_normal(2000)).astype(dtype)
    upper = (lower.view(word) + word(1)).view(dtype)
    middle = (lower.astype(np.float64) + upper.astype(np.float64)) / 2
    even = np.where(lower.view(word) % 2 == 0, lower, upper)
    # A hair beside the middle is where rounding twice goes wrong.
    for values, wanted in ((middle, even), (middle * (1 + 1e-13), upper), (middle * (1 - 1e-13), lower)):
        assert (rounded(values, type) == wanted).all()
        assert (rounded(-values, type) == -wanted).all()
