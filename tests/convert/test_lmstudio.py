"""`edgekit convert --lmstudio`: the files where LM Studio looks for them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from one_line import assert_one_line_error

from edgekit.convert.lmstudio import link, models_folder
from edgekit.errors import FileError

Made = Callable[[str], Path]
# Publisher and model, as LM Studio's documentation has it.
PLACE = Path("edgekit", "mine")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


def convert(checkpoint: Path, out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "edgekit", "convert", str(checkpoint), "--out", str(out), "--name", "mine"]
    return subprocess.run([*line, "--lmstudio", *options], capture_output=True, text=True, timeout=300, check=False)


def test_model_and_projector_get_a_second_name_and_no_second_copy(checkpoint: Made, home: Path, tmp_path: Path) -> None:
    (home / ".lmstudio").mkdir()
    result = convert(checkpoint("tiny"), tmp_path / "out", "--quant", "Q8_0", "--quant", "F16")
    assert result.returncode == 0, result.stderr
    linked = home / ".lmstudio" / "models" / PLACE
    assert {path.name for path in linked.iterdir()} == {"mine-Q8_0.gguf", "mine-F16.gguf", "mmproj-mine-BF16.gguf"}
    for path in linked.iterdir():
        assert path.samefile(tmp_path / "out" / path.name)
        assert not path.is_symlink()
        assert f"{path} (hard link)" in result.stdout.replace("\n", "").replace("  ", " ")


def test_a_later_conversion_takes_the_place_of_an_earlier_one(checkpoint: Made, home: Path, tmp_path: Path) -> None:
    (home / ".lmstudio").mkdir()
    for quantization in ("F16", "F16", "Q8_0"):
        result = convert(checkpoint("tiny"), tmp_path / "out", "--quant", quantization, "--json")
    linked = home / ".lmstudio" / "models" / PLACE
    assert {path.name for path in linked.iterdir()} == {"mine-F16.gguf", "mine-Q8_0.gguf", "mmproj-mine-BF16.gguf"}
    assert all(path.samefile(tmp_path / "out" / path.name) for path in linked.iterdir())
    report = json.loads(result.stdout)["lmstudio"]
    assert [Path(one["path"]).name for one in report] == ["mine-Q8_0.gguf", "mmproj-mine-BF16.gguf"]


def test_parts_are_all_linked(checkpoint: Made, home: Path, tmp_path: Path) -> None:
    (home / ".lmstudio").mkdir()
    assert convert(checkpoint("tiny"), tmp_path / "out", "--split-size", "500K").returncode == 0
    linked = {path.name for path in (home / ".lmstudio" / "models" / PLACE).iterdir()}
    assert linked == {path.name for path in (tmp_path / "out").glob("*.gguf")}
    assert len(linked) > 2


def test_without_lm_studio_nothing_is_written(checkpoint: Made, home: Path, tmp_path: Path) -> None:
    result = convert(checkpoint("tiny"), tmp_path / "out")
    assert "start it once" in assert_one_line_error(result)
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
    assert list(home.iterdir()) == []


def test_a_merged_checkpoint_is_no_model_for_it(checkpoint: Made, home: Path, tmp_path: Path) -> None:
    assert convert(checkpoint("tiny"), tmp_path / "out", "--to", "safetensors").returncode == 2


def test_another_disk_gets_symbolic_links(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tmp_path / "model.gguf"
    model.write_bytes(b"model")

    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    [made] = link([model], "mine", home)
    assert made.how == "symbolic link"
    assert made.path == home / PLACE / "model.gguf"
    assert made.path.resolve() == model.resolve()
    # Once more: what is right stays.
    assert link([model], "mine", home) == [made]


def test_a_file_in_the_way_of_the_folder_is_one_line(home: Path, tmp_path: Path) -> None:
    (home / "edgekit").write_text("in the way")
    with pytest.raises(FileError, match="copy the files there yourself"):
        link([tmp_path], "mine", home)


def test_it_looks_where_lm_studio_itself_does(home: Path, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="start it once"):
        models_folder()
    (home / ".lmstudio").mkdir()
    assert models_folder() == home / ".lmstudio" / "models"
    older = home / ".cache" / "lm-studio"
    older.mkdir(parents=True)
    assert models_folder() == older / "models"
    (home / ".lmstudio-home-pointer").write_text(f"{home / '.lmstudio'}\n")
    assert models_folder() == home / ".lmstudio" / "models"
    settings = home / ".lmstudio" / "settings.json"
    settings.write_text(json.dumps({"downloadsFolder": str(tmp_path / "big-disk")}))
    assert models_folder() == tmp_path / "big-disk"
    for damaged in ("{", "[]", '{"downloadsFolder": 1}', '{"downloadsFolder": "here"}'):
        settings.write_text(damaged)
        assert models_folder() == home / ".lmstudio" / "models"
