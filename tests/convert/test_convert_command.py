"""`edgekit convert` as a person and a script see it."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from oracles import peft_merge

from edgekit.cli.app import main

Made = Callable[[str], Path]
Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def adapter(checkpoint: Made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return peft_merge.make_adapter(checkpoint("tiny"), tmp_path_factory.mktemp("adapter") / "french")


def test_it_shows_files_ledger_and_what_to_do_next(
    checkpoint: Made, adapter: Path, tmp_path: Path, edgekit: Command
) -> None:
    asked = ["--adapter", adapter, "--quant", "q8_0", "--quant", "Q4_0", "--name", "mine"]
    result = edgekit("convert", checkpoint("tiny"), *asked, "--out", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    rows = [line.split() for line in result.stdout.splitlines() if "-mine-" in line or line.startswith("mine-")]
    assert [row[:3] for row in rows] == [
        ["mine-Q8_0.gguf", "text", "Q8_0"],
        ["mine-Q4_0.gguf", "text", "Q4_0"],
        ["mmproj-mine-BF16.gguf", "projector", "BF16"],
    ]
    assert "72 of 72 adapter tensors merged; they change weights by" in " ".join(result.stdout.split())
    assert f"edgekit run {tmp_path / 'out' / 'mine-Q8_0.gguf'}" in result.stderr


def test_json_is_one_object_with_the_promised_keys(
    checkpoint: Made, adapter: Path, tmp_path: Path, edgekit: Command
) -> None:
    result = edgekit("convert", checkpoint("tiny"), "--adapter", adapter, "--out", tmp_path / "out", "--json")
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    found = json.loads(result.stdout)
    assert found.keys() == {"outputs", "ledger", "seconds", "peak_memory", "warnings", "preflight"}
    assert found["warnings"] == []
    assert [output["kind"] for output in found["outputs"]] == ["text", "projector", "modelfile"]
    for output in found["outputs"]:
        assert output.keys() == {"path", "kind", "quantization", "bytes", "sha256"}
        data = Path(output["path"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (output["bytes"], output["sha256"])
    entry = found["ledger"][0]
    assert entry.keys() == {"adapter", "key", "tensor", "status", "scale", "relative_change", "reason"}
    assert (entry["adapter"], entry["status"], entry["scale"]) == ("french", "merged", 1.5)
    # A process with numpy loaded; a model of two megabytes adds little.
    assert 20 << 20 < found["peak_memory"] < 200 << 20


def test_a_dry_run_shows_the_same_sizes_and_writes_nothing(checkpoint: Made, tmp_path: Path, edgekit: Command) -> None:
    asked = ["convert", checkpoint("tiny"), "--out", tmp_path / "out", "--json"]
    planned = json.loads(edgekit(*asked, "--dry-run").stdout)
    assert list(tmp_path.iterdir()) == []
    made = json.loads(edgekit(*asked).stdout)
    assert [output | {"sha256": ""} for output in made["outputs"]] == planned["outputs"]


def test_without_an_out_it_makes_a_folder_here(
    checkpoint: Made, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as done:
        main(["convert", str(checkpoint("tiny")), "--adapter", str(adapter), "--quant", "F16"])
    assert done.value.code == 0
    name = f"{checkpoint('tiny').name}-french"
    made = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert made == {f"{name}-GGUF/{file}" for file in (f"{name}-F16.gguf", f"mmproj-{name}-BF16.gguf", "Modelfile")}


def test_an_unknown_format_is_wrong_usage(checkpoint: Made, edgekit: Command) -> None:
    assert edgekit("convert", checkpoint("tiny"), "--to", "pickle").returncode == 2
