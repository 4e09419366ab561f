"""Sources that another program changes while they are converted: said in one line, and nothing left."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from edgekit import paths
from edgekit.convert.job import ConvertJob, convert
from edgekit.errors import FileError

Change = Callable[[Path], object]
FORMS: tuple[Literal["gguf", "safetensors"], ...] = ("gguf", "safetensors")
CHECKPOINT, ADAPTER = "checkpoint/model.safetensors", "adapter/adapter_model.safetensors"


def shrink(path: Path) -> None:
    os.truncate(path, 20_000)


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(bytes(1000))


def overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size - 5000)
        file.write(bytes(1000))


def replace(path: Path) -> None:
    """Put another file in its place, as a download does when it is done."""
    path.with_suffix(".new").write_bytes(b"another")
    path.with_suffix(".new").replace(path)


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    for name, folder in (("checkpoint", paths.demo_checkpoint()), ("adapter", paths.demo_adapter())):
        shutil.copytree(folder, tmp_path / "sources" / name, copy_function=shutil.copyfile)
    return tmp_path / "sources"


def converted(sources: Path, out: Path, to: Literal["gguf", "safetensors"], change: Callable[[], object]) -> list[str]:
    """Convert, change something when the first piece is done, and return the digests of what was written."""
    waiting = [change]

    def progress(done: float, total: float, text: str = "") -> None:
        if waiting:
            waiting.pop()()

    job = ConvertJob(sources / "checkpoint", out, (sources / "adapter",), name="x" if to == "gguf" else None, to=to)
    return [output.sha256 for output in convert(job, progress).outputs]


@pytest.mark.parametrize("to", FORMS)
@pytest.mark.parametrize("name", [CHECKPOINT, ADAPTER])
@pytest.mark.parametrize("change", [shrink, grow, overwrite], ids=lambda change: change.__name__)
def test_weights_that_change_underneath_are_noticed(
    change: Change, name: str, to: Literal["gguf", "safetensors"], sources: Path, tmp_path: Path
) -> None:
    with pytest.raises(FileError, match="while it was read") as problem:
        converted(sources, tmp_path / "new" / "out", to, lambda: change(sources / name))
    assert str(sources / name) in str(problem.value)
    assert list(tmp_path.iterdir()) == [sources]


@pytest.mark.parametrize("to", FORMS)
@pytest.mark.parametrize("name", [CHECKPOINT, ADAPTER])
def test_weights_that_are_replaced_are_read_to_their_end(
    name: str, to: Literal["gguf", "safetensors"], sources: Path, tmp_path: Path
) -> None:
    undisturbed = converted(sources, tmp_path / "first", to, lambda: None)
    assert converted(sources, tmp_path / "out", to, lambda: replace(sources / name)) == undisturbed
    with pytest.raises(FileError, match="cut short or damaged"):
        converted(sources, tmp_path / "out", to, lambda: None)


@pytest.mark.parametrize("change", [os.remove, shrink, grow], ids=lambda change: change.__name__)
def test_a_tokenizer_that_changes_before_it_is_copied_is_noticed(change: Change, sources: Path, tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"tokenizer\.json"):
        converted(sources, tmp_path / "out", "safetensors", lambda: change(sources / "checkpoint" / "tokenizer.json"))
    assert list(tmp_path.iterdir()) == [sources]
