"""Checkpoints whose tensors other tools have named: the same files come out."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from oracles.tiny_variants import rename

from edgekit.convert.job import ConvertJob, convert

Made = Callable[[str], Path]
Rename = Callable[[str], str]

# How a merged checkpoint comes out of each tool, given the name in the releases.
SPELLINGS: dict[str, Rename] = {
    "transformers 4, and Unsloth with it": lambda name: re.sub(
        r"^model\.(language_model\.)?", lambda found: "language_model.model." if found[1] else "", name
    ),
    "a model inside peft, unwrapped by hand": lambda name: f"base_model.model.{name}",
    "torch.compile": lambda name: f"_orig_mod.{name}",
    "data-parallel": lambda name: f"module.{name}",
    "FSDP, as Axolotl saves it": lambda name: name.replace("layers.", "layers._fsdp_wrapped_module.", 1),
    "activation checkpointing": lambda name: re.sub(r"(layers\.\d+\.)", r"\1_checkpoint_wrapped_module.", name),
}
INSIDE_TRANSFORMERS = {
    "vision_embedder.": "embed_vision.",
    "embed_vision.embedding_projection": "embed_vision.multimodal_embedder.embedding_projection",
}


def digests(checkpoint: Path, out: Path) -> dict[str, str]:
    result = convert(ConvertJob(checkpoint, out, (), ("BF16",)))
    return {output.path.name: output.sha256 for output in result.outputs}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("name", ["tiny", "experts"])
def test_another_spelling_gives_the_same_files(name: str, spelling: str, checkpoint: Made, tmp_path: Path) -> None:
    usual = checkpoint(name)
    renamed = rename(usual, tmp_path / usual.name, SPELLINGS[spelling])
    assert digests(renamed, tmp_path / "renamed") == digests(usual, tmp_path / "usual")


def test_the_names_inside_transformers_give_the_same_files(checkpoint: Made, tmp_path: Path) -> None:
    def change(name: str) -> str:
        for released, inside in INSIDE_TRANSFORMERS.items():
            if released in name:
                return name.replace(released, inside)
        return name

    usual = checkpoint("unified")
    renamed = rename(usual, tmp_path / usual.name, change)
    assert digests(renamed, tmp_path / "renamed") == digests(usual, tmp_path / "usual")


def test_gemma_3_in_the_names_of_transformers_5_gives_the_same_files(checkpoint: Made, tmp_path: Path) -> None:
    usual = checkpoint("gemma3")
    renamed = rename(usual, tmp_path / usual.name, lambda name: name.replace("vision_model.", ""))
    assert digests(renamed, tmp_path / "renamed") == digests(usual, tmp_path / "usual")
