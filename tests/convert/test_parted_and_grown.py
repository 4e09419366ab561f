"""Adapters that part the output layer from the embeddings, or add tokens: what is written computes what they did."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import llama_cpp
import numpy as np
import pytest
import torch
from oracles import grown, peft_merge, tiny_gemma3
from oracles.reference import relative_rms
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from edgekit.convert.job import ConvertJob, convert
from edgekit.engine import native
from edgekit.errors import AdapterError, EdgekitError, FileError

Made = Callable[[str], Path]
HEAD = "lm_head.weight"
EMBEDDINGS = "model.language_model.embed_tokens.weight"
IDS = [2, 3, 5, 7, 9, 11, 40, 300]
# With the last of the added tokens.
GROWN_IDS = [*IDS, 329]
# One file, and shards with an index.
BASES = ["single", "released"]
PARTED: dict[str, dict[str, Any]] = {
    "whole output layer": {"modules_to_save": ["lm_head"]},
    "whole embeddings": {"modules_to_save": ["embed_tokens"]},
    "both": {"modules_to_save": ["embed_tokens", "lm_head"]},
    "low-rank output layer": {"target_modules": ["lm_head"]},
    "low-rank embeddings": {"target_modules": ["embed_tokens"]},
    "tokens of the output layer": {"trainable_token_indices": {"lm_head": [5]}},
}
WHOLE = ["embed_tokens", "embed_tokens_per_layer"]
LARGER: dict[str, tuple[str, dict[str, Any]]] = {
    "whole, tied": ("single", {"modules_to_save": WHOLE, "ensure_weight_tying": True}),
    "whole, with the output layer": ("single", {"modules_to_save": [*WHOLE, "lm_head"]}),
    "low-rank, with the tables that it was trained on": (
        "single",
        {"target_modules": WHOLE[:1], "modules_to_save": WHOLE[1:], "ensure_weight_tying": True},
    ),
    "rows of the new tokens": (
        "single",
        {"trainable_token_indices": {name: [3, *range(grown.BEFORE, grown.AFTER)] for name in WHOLE}},
    ),
    "in shards": ("released", {"modules_to_save": [*WHOLE, "lm_head"]}),
    "without embeddings per layer": ("dense", {"modules_to_save": ["embed_tokens", "lm_head"]}),
    # Of a model whose config has vocab_size outside, peft saves embeddings and output layer by itself, twice over.
    "the text model alone": ("text-only", {"modules_to_save": ["embed_tokens"], "ensure_weight_tying": True}),
    "the text model alone, parted": ("text-only", {"modules_to_save": ["embed_tokens", "lm_head"]}),
    "the text model alone, tokens": ("text-only", {"trainable_token_indices": [3, *range(320, 325)]}),
    "the text model alone, untrained": ("text-only", {}),
    "the text model alone, low-rank": ("text-only", {"target_modules": ["embed_tokens"], "ensure_weight_tying": True}),
    "12B": ("unified", {"modules_to_save": ["embed_tokens", "lm_head"]}),
}


def settings_of(kind: dict[str, Any]) -> dict[str, Any]:
    return {"target_modules": r".*language_model.*\.q_proj|model\.layers.*\.q_proj"} | kind


@torch.inference_mode()
def logits(model: Any, ids: list[int]) -> np.ndarray[Any, Any]:
    kinds = {"mm_token_type_ids": torch.zeros(1, len(ids), dtype=torch.long)} if "Conditional" in _class(model) else {}
    found: np.ndarray[Any, Any] = model(input_ids=torch.tensor([ids]), **kinds).logits[0].float().numpy()
    return found


def _class(model: Any) -> str:
    return type(model.get_base_model() if isinstance(model, PeftModel) else model).__name__


def loaded(folder: Path) -> Any:
    """Load a checkpoint as transformers does, which must find in it all that it wants and nothing else."""
    model, about = peft_merge.load(folder, torch.float32, output_loading_info=True)
    assert not about["missing_keys"]
    assert not [name for name in about["unexpected_keys"] if "self_attn" not in name]
    assert not about["mismatched_keys"]
    return model.eval()


def computed(path: Path, ids: list[int]) -> np.ndarray[Any, Any]:
    """Return the logits of llama.cpp."""
    native.start()
    settings = {"type_k": 0, "type_v": 0, "flash_attn": False, "n_threads": 1, "n_threads_batch": 1}
    model = llama_cpp.Llama(str(path), n_ctx=128, n_batch=128, n_ubatch=128, logits_all=True, verbose=False, **settings)
    model.eval(ids)
    found = np.array(model.scores[: len(ids)])
    model.close()
    return found


@pytest.mark.parametrize("kind", PARTED)
@pytest.mark.parametrize("base", BASES)
def test_a_parted_output_layer_is_in_the_merged_checkpoint(
    base: str, kind: str, checkpoint: Made, tmp_path: Path
) -> None:
    source = checkpoint(base)
    # transformers cannot attach an adapter to projections that it does not load.
    trained = checkpoint("tiny") if base == "released" else source
    adapter = peft_merge.make_adapter(trained, tmp_path / "adapter", **settings_of(PARTED[kind]))
    convert(ConvertJob(source, tmp_path / "out", (adapter,), to="safetensors"))
    ours = loaded(tmp_path / "out")
    theirs = PeftModel.from_pretrained(peft_merge.load(trained, torch.float32), adapter).eval()
    assert relative_rms(logits(ours, IDS), logits(theirs, IDS)) < (1e-5 if base == "single" else 1e-2)
    assert not torch.equal(ours.lm_head.weight, ours.get_input_embeddings().weight)
    values = json.loads((tmp_path / "out" / "config.json").read_text())
    assert (values["tie_word_embeddings"], values["text_config"]["tie_word_embeddings"]) == (False, False)
    if base == "released":
        index = json.loads((tmp_path / "out" / "model.safetensors.index.json").read_text())
        held = {key for path in (tmp_path / "out").glob("*.safetensors") for key in load_file(path)}
        assert index["weight_map"].keys() == held
        assert HEAD in held


@pytest.mark.parametrize("kind", LARGER)
def test_added_tokens_are_in_both_results(kind: str, checkpoint: Made, tmp_path: Path) -> None:
    name, settings = LARGER[kind]
    base = checkpoint("tiny" if name == "released" else name)
    adapter = grown.make_adapter(base, tmp_path / "adapter", save_base_rows="low-rank" in kind, **settings_of(settings))
    theirs = logits(grown.running(base, adapter), ids := [*IDS, 320, 325, 329])
    convert(ConvertJob(checkpoint(name), tmp_path / "out", (adapter,), to="safetensors"))
    ours = loaded(tmp_path / "out")
    # The others are rounded to bf16.
    exact = 1e-5 if name == "single" else 5e-2
    assert ours.get_input_embeddings().weight.shape[0] == grown.AFTER
    assert relative_rms(logits(ours, ids), theirs) < exact
    assert AutoTokenizer.from_pretrained(tmp_path / "out").convert_tokens_to_ids(grown.TOKENS) == [*range(320, 330)]
    result = convert(ConvertJob(checkpoint(name), tmp_path / "gguf", (adapter,), ("F32",), "none"))
    assert relative_rms(computed(result.outputs[0].path, ids), theirs) < max(exact, 1e-3)
    again = convert(ConvertJob(tmp_path / "out", tmp_path / "again", (), ("F32",), "none"))
    assert relative_rms(computed(again.outputs[0].path, ids), theirs) < max(exact, 1e-3)
    assert {entry.key for entry in result.ledger} == load_file(adapter / "adapter_model.safetensors").keys()
    assert all(entry.status == "merged" for entry in result.ledger if "original_module" not in entry.key)


def test_more_rows_than_tokens_are_cut(checkpoint: Made, tmp_path: Path) -> None:
    # As trainers that round up to a multiple of 32 leave them.
    base = checkpoint("single")
    kind = settings_of({"modules_to_save": [*WHOLE, "lm_head"]})
    adapter = grown.make_adapter(base, tmp_path / "adapter", rows=352, **kind)
    result = convert(ConvertJob(base, tmp_path / "gguf", (adapter,), ("F32",), "none"))
    theirs = logits(grown.running(base, adapter, 352), ids := [*IDS, 329])[:, : grown.AFTER]
    assert relative_rms(computed(result.outputs[0].path, ids), theirs) < 1e-3


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no rows for the embeddings per layer": (
        {"modules_to_save": ["embed_tokens", "lm_head"]},
        "embed_tokens_per_layer",
    ),
    "no rows for the output layer": ({"modules_to_save": WHOLE}, "does not hold their rows of lm_head"),
    "only some of the new tokens": (
        {"trainable_token_indices": {name: [*range(320, 325), 329] for name in WHOLE}},
        "does not hold their rows of .*embed_tokens",
    ),
    "DoRA": ({"target_modules": WHOLE, "use_dora": True, "ensure_weight_tying": True}, "cannot merge DoRA"),
}


@pytest.mark.parametrize("to", ["gguf", "safetensors"])
@pytest.mark.parametrize("kind", REFUSED)
def test_rows_that_nobody_saved_are_not_made_up(kind: str, to: Any, checkpoint: Made, tmp_path: Path) -> None:
    settings, message = REFUSED[kind]
    base = checkpoint("single")
    adapter = grown.make_adapter(base, tmp_path / "adapter", save_base_rows=kind == "DoRA", **settings_of(settings))
    with pytest.raises(EdgekitError, match=message):
        convert(ConvertJob(base, tmp_path / "out", (adapter,), to=to))
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def larger(checkpoint: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("larger") / "adapter"
    return grown.make_adapter(checkpoint("single"), folder, **settings_of({"modules_to_save": [*WHOLE, "lm_head"]}))


def copied(adapter: Path, folder: Path, *without: str) -> Path:
    folder.mkdir()
    for path in adapter.iterdir():
        if path.name not in without:
            (folder / path.name).write_bytes(path.read_bytes())
    return folder


def test_added_tokens_need_their_tokenizer(larger: Path, checkpoint: Made, tmp_path: Path) -> None:
    adapter = copied(larger, tmp_path / "bare", "tokenizer.json")
    with pytest.raises(AdapterError, match=r"330 tokens where the base has 320, and no tokenizer\.json"):
        convert(ConvertJob(checkpoint("single"), tmp_path / "out", (adapter,)))
    values = json.loads((larger / "tokenizer.json").read_text())
    values["added_tokens"].append(values["added_tokens"][-1] | {"id": 330, "content": "<one more>"})
    (adapter / "tokenizer.json").write_text(json.dumps(values))
    with pytest.raises(FileError, match=r"331 tokens, and the adapter's embeddings have 330"):
        convert(ConvertJob(checkpoint("single"), tmp_path / "out", (adapter,)))


def test_half_a_vocabulary_or_two_are_refused(larger: Path, checkpoint: Made, tmp_path: Path) -> None:
    base, other = checkpoint("single"), copied(larger, tmp_path / "other")
    with pytest.raises(AdapterError, match="cannot be merged by halves"):
        convert(ConvertJob(base, tmp_path / "out", (larger,), adapter_weights=(0.5,)))
    with pytest.raises(AdapterError, match="other is the second to add tokens"):
        convert(ConvertJob(base, tmp_path / "out", (larger, other)))


def test_gemma_3_takes_added_tokens_too(checkpoint: Made, tmp_path: Path) -> None:
    base = checkpoint("gemma3-text")
    settings = {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens"], "ensure_weight_tying": True}
    adapter = grown.make_adapter(base, tmp_path / "adapter", **settings)
    file, theirs = converted_both_ways(base, adapter, tmp_path, 5e-2)
    assert relative_rms(computed(file, GROWN_IDS), theirs) < 5e-2
    tokens = gguf.GGUFReader(file).fields["tokenizer.ggml.tokens"].contents()
    assert tokens[grown.BEFORE :] == grown.TOKENS


def converted_both_ways(base: Path, adapter: Path, out: Path, error: float) -> tuple[Path, np.ndarray[Any, Any]]:
    """Check the merged checkpoint's logits against those of base and adapter; return these and the GGUF."""
    convert(ConvertJob(base, out / "out", (adapter,), to="safetensors"))
    theirs = logits(grown.running(base, adapter), GROWN_IDS)
    assert relative_rms(logits(loaded(out / "out"), GROWN_IDS), theirs) < error
    of_tiny_tokenizer(adapter)
    return convert(ConvertJob(base, out / "gguf", (adapter,), ("F32",))).outputs[0].path, theirs


def of_tiny_tokenizer(adapter: Path) -> None:
    """Number added tokens as tokenizer.model would: the tiny one and tokenizer.json are of two kinds."""
    values = json.loads((adapter / "tokenizer.json").read_text())
    values["added_tokens"] = [{"id": 320 + number, "content": token} for number, token in enumerate(grown.TOKENS)]
    (adapter / "tokenizer.json").write_text(json.dumps(values))


def test_gemma_3n_takes_added_tokens_too(tmp_path: Path) -> None:
    base = tiny_gemma3.write(tmp_path / "model", tiny_gemma3.gemma3n(), shared_kv=False)
    # Its sparse layers would make of the rounding to bf16 another model.
    weights = {name: tensor.float() for name, tensor in load_file(base / "model.safetensors").items()}
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    settings = {"target_modules": ["q_proj"], "modules_to_save": WHOLE, "ensure_weight_tying": True}
    adapter = grown.make_adapter(base, tmp_path / "adapter", **settings)
    file, _ = converted_both_ways(base, adapter, tmp_path, 1e-2)
    assert np.isfinite(computed(file, GROWN_IDS)).all()
    held = {key.split(".")[-2]: tensor for key, tensor in load_file(adapter / "adapter_model.safetensors").items()}
    written = {tensor.name: tensor.data for tensor in gguf.GGUFReader(file).tensors}
    assert np.array_equal(written["per_layer_token_embd.weight"], held["embed_tokens_per_layer"].numpy())


def test_embeddings_that_are_saved_twice_stay_tied(checkpoint: Made, tmp_path: Path) -> None:
    # As peft saves a resized model whose embeddings it did not wrap.
    base = checkpoint("single")
    adapter = peft_merge.make_adapter(base, tmp_path / "adapter", **settings_of({"modules_to_save": ["embed_tokens"]}))
    weights = load_file(adapter / "adapter_model.safetensors")
    weights[f"base_model.model.{HEAD}"] = weights[f"base_model.model.{EMBEDDINGS}"].clone()
    save_file(weights, adapter / "adapter_model.safetensors")
    result = convert(ConvertJob(base, tmp_path / "out", (adapter,), to="safetensors"))
    written = load_file(tmp_path / "out" / "model.safetensors")
    assert HEAD not in written
    assert torch.equal(written[EMBEDDINGS], weights[f"base_model.model.{EMBEDDINGS}"])
    assert {entry.key for entry in result.ledger} == weights.keys()
