"""What files are called: by the naming convention of ggml's docs/gguf.md."""

from __future__ import annotations

import re
from pathlib import Path

import gguf
import pytest

from edgekit.convert.job import ConvertJob

# The document's own expression for what it calls BaseName, SizeLabel, FineTune, Encoding and Shard. It asks for a
# version between the last two, which neither Google's files nor llama.cpp's own have where a model has none.
CONVENTION = re.compile(
    r"(?:(?P<sidecar>mmproj|mtp)-)?(?P<base>[A-Za-z0-9\s]*(?:-(?:[A-Za-z\s][A-Za-z0-9\s]*|[0-9\s]*))*)-"
    r"(?P<size>(?:\d+x)?(?:\d+\.)?\d+[A-Za-z](?:-[A-Za-z]+(?:\d+\.)?\d+[A-Za-z]+)?)(?:-(?P<tune>[A-Za-z0-9\s-]+?))?"
    r"-(?P<encoding>[A-Z]+\d+_[\w]+|BF16|F16|F32)(?:-(?P<shard>\d{5}-of-\d{5}))?\.gguf"
)


@pytest.mark.parametrize(
    ("checkpoint", "billions"),
    [("gemma-4-12B-it", 12), ("gemma-4-26B-A4B-it", 26), ("gemma-4-31B", 31), ("gemma-4-31B-it", 31)],
)
@pytest.mark.parametrize("adapters", [(), (Path("french"),), (Path("runs/french"), Path("polite"))])
def test_names_are_those_that_gguf_makes_of_the_same_parts(
    checkpoint: str, billions: int, adapters: tuple[Path, ...]
) -> None:
    job = ConvertJob(Path("checkpoints", checkpoint), Path(), adapters)
    whole = "-".join((checkpoint, *(adapter.name for adapter in adapters)))
    about = gguf.Metadata.load(None, Path(whole), None, billions * 10**9)
    size = about.size_label
    assert f"{job.file_name}-Q4_K_M" == gguf.naming_convention(
        about.name, about.basename, about.finetune, about.version, size, "Q4_K_M"
    )
    found = CONVENTION.fullmatch(f"mmproj-{job.file_name}-BF16.gguf")
    assert found
    assert (found["sidecar"], found["base"], found["size"]) == ("mmproj", "gemma-4", size)
    shard = CONVENTION.fullmatch(f"{job.file_name}-Q4_K_M-00001-of-00003.gguf")
    assert shard
    assert (shard["encoding"], shard["shard"]) == ("Q4_K_M", "00001-of-00003")
