"""The folder as a whole: parts that a browser can hold, no warnings, the same bytes again, clear refusals."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from oracles.onnx_folder import OnnxFolder
from oracles.onnx_runtimes import genai, transformers_js

from edgekit import paths
from edgekit.convert.job import ConvertJob, ConvertResult, convert
from edgekit.convert.onnx import data_files
from edgekit.convert.onnx.precision import PRECISIONS
from edgekit.errors import DoesNotFitError, FileError

Command = Callable[..., "subprocess.CompletedProcess[str]"]
ALL = tuple(PRECISIONS)
IDS = [2, *map(int, np.random.default_rng(0).integers(24, 1000, 100))]
END = [1, 6]
_LOAD = "import sys, onnxruntime\nfor path in sys.argv[1:]: onnxruntime.InferenceSession(path)"
_WITHOUT_ONNX = "import sys\nsys.modules['onnx'] = None\nfrom edgekit.cli.app import main\nmain()"


def made(out: Path, *precisions: str) -> ConvertResult:
    return convert(ConvertJob(paths.demo_checkpoint(), out, quantizations=precisions, to="onnx"))


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> ConvertResult:
    return made(tmp_path_factory.mktemp("all"), *ALL)


@pytest.fixture(scope="module")
def folder(result: ConvertResult) -> Path:
    return result.outputs[-1].path.parent


def test_what_is_reported_is_what_is_there(result: ConvertResult, folder: Path, tmp_path: Path) -> None:
    found = {path for path in folder.rglob("*") if path.is_file()}
    assert {output.path for output in result.outputs} == found
    again = {output.path.relative_to(tmp_path): output.sha256 for output in made(tmp_path, *ALL).outputs}
    for output in result.outputs:
        data = output.path.read_bytes()
        assert output.bytes == len(data)
        assert output.sha256 == hashlib.sha256(data).hexdigest() == again[output.path.relative_to(folder)]


def test_onnxruntime_loads_every_graph_without_a_warning(folder: Path) -> None:
    graphs = sorted(folder.glob("onnx/*.onnx"))
    assert len(graphs) == 5 * len(ALL)
    done = subprocess.run([sys.executable, "-c", _LOAD, *graphs], capture_output=True, text=True, check=True)
    assert done.stderr == done.stdout == ""


@pytest.mark.parametrize("precision", ALL)
def test_transformers_js_says_the_same_in_every_precision(precision: str, folder: Path) -> None:
    wanted = OnnxFolder(folder, precision).greedy(IDS, 8, END)
    assert transformers_js(folder, IDS, 8, precision) == wanted


@pytest.mark.parametrize("precision", ["int8", "q4", "q4f16"])
def test_genai_says_the_same_in_the_first_precision(precision: str, tmp_path: Path) -> None:
    made(tmp_path, precision)
    assert genai(tmp_path, IDS, 8) == OnnxFolder(tmp_path, precision).greedy(IDS, 8, END)


def test_large_tensors_are_cut_so_that_each_part_fits(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = 150_000
    monkeypatch.setattr(data_files, "LIMIT", limit)
    made(tmp_path, "fp32", "q4")
    counts = json.loads((tmp_path / "config.json").read_text())["transformers.js_config"]["use_external_data_format"]
    for name, count in counts.items():
        parts = sorted((tmp_path / "onnx").glob(f"{name}_data*"))
        assert len(parts) == count
        assert all(part.stat().st_size <= limit for part in parts)
    assert counts["embed_tokens.onnx"] > 8
    for precision in ("fp32", "q4"):
        cut, whole = OnnxFolder(tmp_path, precision), OnnxFolder(folder, precision)
        assert np.abs(cut.logits(IDS) - whole.logits(IDS)).max() < 1e-4
        assert transformers_js(tmp_path, IDS, 8, precision) == whole.greedy(IDS, 8, END)


def test_other_graphs_in_the_folder_are_not_mixed_with(tmp_path: Path) -> None:
    made(tmp_path, "fp32", "q4")
    made(tmp_path, "fp32", "q4")
    with pytest.raises(FileError, match=r"q4\.onnx: name every --quant at once"):
        made(tmp_path, "fp32")


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "onnx/decoder_model_merged_q4.onnx"])
def test_what_others_made_is_not_written_over(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("precious")
    with pytest.raises(FileError, match=rf"holds other files, such as {path.name}: choose another --out"):
        made(tmp_path, "q4")
    assert [path.read_text() for path in tmp_path.rglob("*") if path.is_file()] == ["precious"]


def test_what_is_read_is_not_written_over(tmp_path: Path) -> None:
    source, adapter = tmp_path / "model", tmp_path / "adapter"
    shutil.copytree(paths.demo_checkpoint(), source)
    shutil.copytree(paths.demo_adapter(), adapter)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for out in (source, adapter):
        with pytest.raises(FileError, match="holds what is to be converted: choose another --out"):
            convert(ConvertJob(source, out, (adapter,), quantizations=("q4",), to="onnx"))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def changed(folder: Path, section: str, settings: dict[str, object]) -> Path:
    """A copy of the bundled checkpoint with other settings; None takes one out."""
    shutil.copytree(paths.demo_checkpoint(), folder)
    config = json.loads((folder / "config.json").read_text())
    values = config[section] | settings
    config[section] = {key: value for key, value in values.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("audio_config", "residual_weight", "half"),
        ("audio_config", "attention_chunk_size", 0),
        ("vision_config", "pooling_kernel_size", 0),
    ],
)
def test_a_damaged_setting_is_named(section: str, key: str, value: object, tmp_path: Path) -> None:
    source = changed(tmp_path / "source", section, {key: value})
    with pytest.raises(FileError, match=rf"{section}: {key} is no number"):
        convert(ConvertJob(source, tmp_path / "out", quantizations=("fp32",), to="onnx"))
    assert not (tmp_path / "out").exists()


def test_settings_that_are_not_there_are_those_of_transformers(folder: Path, tmp_path: Path) -> None:
    left_out = ("attention_chunk_size", "attention_context_left", "attention_logit_cap", "gradient_clipping")
    source = changed(tmp_path / "source", "audio_config", dict.fromkeys((*left_out, "residual_weight")))
    convert(ConvertJob(source, tmp_path / "out", quantizations=("fp32",), to="onnx"))
    found, wanted = (one / "onnx/audio_encoder.onnx" for one in (tmp_path / "out", folder))
    assert found.read_bytes() == wanted.read_bytes()


def test_too_little_memory_leaves_nothing_behind(tmp_path: Path) -> None:
    job = ConvertJob(paths.demo_checkpoint(), tmp_path / "out", quantizations=("q4",), to="onnx", memory=20_000_000)
    with pytest.raises(DoesNotFitError, match="--memory"):
        convert(job)
    assert not (tmp_path / "out").exists()


def test_the_command(edgekit: Command, tmp_path: Path) -> None:
    out = tmp_path / "pico"
    done = edgekit("convert", paths.demo_checkpoint(), "--to", "onnx", "--quant", "Q4F16", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "onnx/decoder_model_merged_q4f16.onnx_data" in done.stdout
    assert json.loads((out / "genai_config.json").read_text())["model"]["type"] == "decoder-pipeline"
    assert (out / "chat_template.jinja").is_file()


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--to", "onnx", "--quant", "Q4_K_M"), "q4f16"),
        (("--to", "onnx", "--projector", "F16"), "--to"),
        (("--to", "onnx", "--keep-adapter"), "--adapter"),
        (("--adapter", paths.demo_adapter(), "--keep-adapter"), "--to onnx"),
    ],
)
def test_what_does_not_go_together_is_a_usage_error(
    options: tuple[str, ...], word: str, edgekit: Command, tmp_path: Path
) -> None:
    done = edgekit("convert", paths.demo_checkpoint(), *options, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert word in done.stderr
    assert not (tmp_path / "out").exists()


def test_without_the_packages_it_says_what_to_install(tmp_path: Path) -> None:
    line = [sys.executable, "-c", _WITHOUT_ONNX, "convert", paths.demo_checkpoint(), "--to", "onnx"]
    done = subprocess.run([*line, "--out", tmp_path / "out"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install 'edgekit[onnx]'" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
