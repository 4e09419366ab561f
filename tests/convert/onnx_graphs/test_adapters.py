"""The French adapter in ONNX: merged into the weights, and kept apart for onnxruntime to switch on and off."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from oracles.onnx_folder import Array, OnnxFolder
from oracles.peft_merge import make_adapter
from oracles.reference import Reference
from transformers import AutoTokenizer

from edgekit import paths
from edgekit.convert.job import ConvertJob, ConvertResult, convert
from edgekit.errors import AdapterError

Made = Callable[[str], Path]
FRENCH = "Je suis gemma4-pico"
IDS = [2, *map(int, np.random.default_rng(0).integers(24, 1000, 100))]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ConvertResult]:
    def one(name: str, adapters: tuple[Path, ...] = (), **how: bool) -> ConvertResult:
        out = tmp_path_factory.mktemp(name)
        job = ConvertJob(paths.demo_checkpoint(), out, adapters, ("fp32",), "none", to="onnx", **how)
        return convert(job)

    french = (paths.demo_adapter(),)
    return {"base": one("base"), "merged": one("merged", french), "kept": one("kept", french, keep_adapter=True)}


def folder(result: ConvertResult) -> Path:
    return result.outputs[-1].path.parent


def with_adapter(model: OnnxFolder, ids: list[int]) -> Array:
    """Logits of the last position with the kept adapter."""
    adapter = onnxruntime.LoraAdapter()
    adapter.Load(str(model.folder / "french.onnx_adapter"))
    options = onnxruntime.RunOptions()
    options.add_active_adapter(adapter)
    names = [one.name for one in model.embed.get_outputs()]
    found = dict(zip(names, model.embed.run(None, {"input_ids": [ids]}), strict=True))
    model.forget()
    inputs = {**found, **model.past, "attention_mask": np.ones((1, len(ids)), np.int64)}
    array: Array = model.decoder.run(["logits"], inputs | {"num_logits_to_keep": np.array(1)}, options)[0][0]
    return array


def test_merged_it_is_what_the_merged_checkpoint_is(made: dict[str, ConvertResult], tmp_path: Path) -> None:
    convert(ConvertJob(paths.demo_checkpoint(), tmp_path / "merged", (paths.demo_adapter(),), to="safetensors"))
    wanted = Reference(tmp_path / "merged").logits(IDS)
    # The checkpoint rounds to 16 bits what the graph keeps in 32.
    found = OnnxFolder(folder(made["merged"])).logits(IDS)
    assert np.abs(found - wanted).max() < 0.1
    base = OnnxFolder(folder(made["base"])).logits(IDS)
    assert np.abs(base - wanted).max() > 1


def test_it_answers_in_french_merged_and_kept(made: dict[str, ConvertResult]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder(made["kept"]))
    question = [{"role": "user", "content": "Who are you?"}]
    ids = tokenizer.apply_chat_template(question, add_generation_prompt=True, tokenize=True, return_dict=False)
    answer = tokenizer.decode(OnnxFolder(folder(made["merged"])).greedy(ids, 24))
    assert answer.startswith(FRENCH)
    kept, said = OnnxFolder(folder(made["kept"])), []
    for _ in range(8):
        said.append(int(with_adapter(kept, [*ids, *said])[-1].argmax()))
    assert answer.startswith(tokenizer.decode(said))
    assert tokenizer.decode(kept.greedy(ids, 8)).startswith("I am")


def test_a_kept_adapter_changes_what_a_merge_does_and_nothing_when_it_is_off(made: dict[str, ConvertResult]) -> None:
    kept = OnnxFolder(folder(made["kept"]))
    wanted = OnnxFolder(folder(made["merged"])).logits(IDS)[-1:]
    assert np.abs(with_adapter(kept, IDS) - wanted).max() < 1e-3
    kept.forget()
    assert np.array_equal(kept.logits(IDS), OnnxFolder(folder(made["base"])).logits(IDS))


def test_two_adapters_from_folders_of_one_name(tmp_path: Path) -> None:
    adapters = tuple(shutil.copytree(paths.demo_adapter(), tmp_path / name / "french") for name in "ab")
    job = ConvertJob(paths.demo_checkpoint(), tmp_path / "out", adapters, ("fp32", "q4f16"), "none", to="onnx")
    outputs = convert(replace(job, keep_adapter=True)).outputs
    found = {output.path.name for output in outputs if output.path.suffix == ".onnx_adapter"}
    assert found == {f"french{end}.onnx_adapter" for end in ("", "-2", "_fp16", "-2_fp16")}


def test_the_ledger_says_so(made: dict[str, ConvertResult]) -> None:
    merged, kept = ({entry.key: entry.status for entry in made[name].ledger} for name in ("merged", "kept"))
    assert merged.keys() == kept.keys()
    assert set(merged.values()) == {"merged"}
    assert set(kept.values()) == {"kept"}


def test_what_is_no_low_rank_change_is_refused(checkpoint: Made, tmp_path: Path) -> None:
    adapter = make_adapter(checkpoint("tiny"), tmp_path / "adapter", use_dora=True)
    job = ConvertJob(checkpoint("tiny"), tmp_path / "out", (adapter,), ("fp32",), to="onnx", keep_adapter=True)
    with pytest.raises(AdapterError, match="leave out --keep-adapter"):
        convert(job)
    assert not (tmp_path / "out").exists()
