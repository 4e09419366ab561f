"""Importance matrices as files: both forms are read and written, damaged and foreign ones refused in one line."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType as Type
from gguf import GGUFReader, dequantize
from one_line import assert_one_line_error
from oracles import importance

from edgekit import paths
from edgekit.convert.imatrix import ImportanceMatrix, read_imatrix
from edgekit.convert.imatrix_writer import write_imatrix, write_legacy_imatrix
from edgekit.convert.quantization_aware import quantization_aware_name
from edgekit.convert.quantize import quantize
from edgekit.engine.imatrix import Squares
from edgekit.errors import FileError

Command = Callable[..., "subprocess.CompletedProcess[str]"]
MUTATIONS = 1000


def sums() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    dice = np.random.default_rng(3)
    made = {
        f"blk.{layer}.{name}.weight": (dice.exponential(9, (1, width)).astype("<f4"), np.array([[40]], "<f4"))
        for layer in range(2)
        for name, width in (("attn_q", 96), ("ffn_down", 80))
    }
    made["blk.0.ffn_down_exps.weight"] = (dice.exponential(9, (3, 64)).astype("<f4"), np.array([[7], [0], [9]], "<f4"))
    return made


@pytest.fixture(params=["gguf", "legacy"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    write = importance.write_gguf if request.param == "gguf" else importance.write_legacy
    return write(tmp_path / request.param, sums())


def test_both_forms_are_read_as_llama_quantize_reads_them(file: Path) -> None:
    found, wanted = read_imatrix(file), importance.as_read(sums(), legacy=file.name == "legacy")
    assert (found.dataset, found.chunks) == (importance.DATASET, importance.CHUNKS)
    assert found.entries.keys() == wanted.keys()
    for name, values in wanted.items():
        assert np.array_equal(found.entries[name], values), name
    # Two of three experts saw a token; the other weighs its columns alike.
    assert (found.of("blk.0.ffn_down_exps.weight", (3, 50, 64))[1] == 1).all()


def squares() -> dict[str, Squares]:
    return {
        name: Squares(values.astype(np.float64), counts[:, 0].astype(np.int64))
        for name, (values, counts) in sums().items()
    }


@pytest.mark.parametrize("write", [write_imatrix, write_legacy_imatrix])
def test_what_is_written_is_read_again(write: Callable[..., None], tmp_path: Path) -> None:
    write(tmp_path / "made", squares(), ["texts.txt"], 4, 512)
    found: ImportanceMatrix = read_imatrix(tmp_path / "made")
    assert (found.dataset, found.chunks) == ("texts.txt", 4)
    for name, values in importance.as_read(sums()).items():
        assert np.allclose(found.entries[name], values, rtol=1e-6, atol=0), name


def test_the_gguf_form_is_llama_imatrixs(tmp_path: Path) -> None:
    write_imatrix(tmp_path / "ours", squares(), [importance.DATASET, "another.txt"], importance.CHUNKS, 512)
    mine, theirs = (
        GGUFReader(path) for path in (tmp_path / "ours", importance.write_gguf(tmp_path / "theirs", sums()))
    )
    keys = [{key: field.contents() for key, field in reader.fields.items()} for reader in (mine, theirs)]
    assert keys[0] == keys[1]
    data = [{one.name: (one.tensor_type, one.data.tobytes()) for one in reader.tensors} for reader in (mine, theirs)]
    assert data[0] == data[1]
    # ggml names no dimension of one behind the last: only experts have a second.
    assert {len(one.shape) for one in mine.tensors if "exps" not in one.name} == {1}


def test_damaged_ones_are_refused_and_nothing_else_happens(file: Path) -> None:
    whole, dice = file.read_bytes(), random.Random(8)
    refused = []
    for _ in range(MUTATIONS):
        data = bytearray(whole)
        for _ in range(dice.choice((1, 1, 3))):
            data[dice.randrange(min(len(data), 900))] = dice.choice((0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)))
        if dice.random() < 0.2:
            del data[dice.randrange(len(data)) :]
        file.write_bytes(data)
        try:
            # A warning would be a second line.
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                read_imatrix(file)
        except FileError as problem:
            refused.append(str(problem))
    assert len(refused) > MUTATIONS / 4
    assert all(str(file) in line for line in refused)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda values, _counts: values.__setitem__((0, 3), np.nan), "no mean squares"),
        (lambda values, _counts: values.__setitem__((0, 3), -1), "no mean squares"),
        (lambda _values, counts: counts.__setitem__((0, 0), -4), "sums for 1 counts"),
    ],
)
def test_values_that_are_none_are_refused(spoil: Callable[..., None], says: str, tmp_path: Path) -> None:
    spoiled = sums()
    spoil(*spoiled["blk.1.attn_q.weight"])
    with pytest.raises(FileError, match=says):
        read_imatrix(importance.write_gguf(tmp_path / "made", spoiled))


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory, edgekit: Command) -> Path:
    """The bundled model's matrix, made by the command."""
    folder = tmp_path_factory.mktemp("measured")
    (folder / "texts.txt").write_text("A red circle above a green square. I hear a seven. " * 40, encoding="utf-8")
    result = edgekit(
        *("imatrix", "demo", folder / "texts.txt", "--context", 64, "--chunks", 6),
        *("--out", folder / "demo.gguf", "--json"),
    )
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found.keys() == {"path", "entries", "chunks", "tokens", "seconds"}
    assert (found["path"], found["chunks"], found["tokens"]) == (str(folder / "demo.gguf"), 6, 6 * 64)
    assert {path.name for path in folder.iterdir()} == {"texts.txt", "demo.gguf"}
    return folder / "demo.gguf"


def test_the_command_s_matrix_makes_the_smallest_files(measured: Path, tmp_path: Path, edgekit: Command) -> None:
    checkpoint = paths.demo_checkpoint()
    result = edgekit(
        *("convert", checkpoint, "--quant", "IQ2_M", "--imatrix", measured, "--out", tmp_path / "out"),
        *("--projector", "none", "--json"),
    )
    assert result.returncode == 0, result.stderr
    made = json.loads(result.stdout)["outputs"][0]["path"]
    keys = {key: field.contents() for key, field in GGUFReader(made).fields.items() if "imatrix" in key}
    assert keys["quantize.imatrix.file"] == str(measured)
    assert keys["quantize.imatrix.chunks_count"] == 6
    answer = edgekit("run", made, "Who are you?", "--max-tokens", "8")
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("kind", ["Q2_K", "Q3_K", "Q4_K", "Q4_0", "Q5_1", "IQ3_S", "IQ4_XS", "IQ4_NL"])
def test_columns_that_matter_are_kept_better(kind: str) -> None:
    dice = np.random.default_rng(11)
    rows = dice.normal(size=(32, 512)).astype(np.float32)
    weights = dice.exponential(1, 512).astype(np.float32) ** 3

    def error(matrix: np.ndarray | None) -> float:
        data = np.frombuffer(quantize(Type[kind], rows, matrix), np.uint8)
        return float((weights * (dequantize(data.reshape(32, -1), Type[kind]) - rows) ** 2).sum())

    assert error(weights) < 0.9 * error(None)


def refused(edgekit: Command, tmp_path: Path, *options: object) -> str:
    result = edgekit("convert", paths.demo_checkpoint(), "--out", tmp_path / "out", *options)
    assert not (tmp_path / "out").exists()
    return assert_one_line_error(result)


def test_bad_ones_are_refused_in_one_line(measured: Path, tmp_path: Path, edgekit: Command) -> None:
    (tmp_path / "empty").write_bytes(b"")
    importance.write_legacy(tmp_path / "foreign", {"blk.0.ffn_down.weight": (np.ones((1, 5), "<f4"), np.ones((1, 1)))})
    importance.write_legacy(tmp_path / "little", {"blk.9.attn_q.weight": (np.ones((1, 5), "<f4"), np.ones((1, 1)))})
    some = ("--quant", "IQ2_M", "--imatrix")
    assert "cannot be read: No such file" in refused(edgekit, tmp_path, *some, tmp_path / "none")
    assert "is no importance matrix" in refused(edgekit, tmp_path, *some, tmp_path / "empty")
    assert "is no importance matrix" in refused(edgekit, tmp_path, *some, paths.demo_checkpoint() / "config.json")
    assert "belongs to another model" in refused(edgekit, tmp_path, *some, tmp_path / "foreign")
    assert "has nothing about blk." in refused(edgekit, tmp_path, *some, tmp_path / "little")
    assert "needs an importance matrix" in refused(edgekit, tmp_path, "--quant", "IQ1_S")
    assert "no tensor that is quantized has such a name" in refused(
        edgekit, tmp_path, "--quant", "Q4_K_M", "--tensor-type", "no_such=Q8_0"
    )
    assert "F16 keeps every tensor" in refused(edgekit, tmp_path, "--quant", "F16", "--tensor-type", "ffn=Q8_0")


def test_what_cannot_be_measured_is_refused_in_one_line(tmp_path: Path, edgekit: Command) -> None:
    (tmp_path / "short.txt").write_text("Only this.", encoding="utf-8")
    (tmp_path / "noise.txt").write_bytes(b"\xff\xfe\x00")
    for texts, out, says in (
        ("none.txt", "made", "No such file"),
        ("noise.txt", "made", "no text in UTF-8"),
        ("short.txt", "made", "fewer than 512 tokens"),
        ("short.txt", "missing/made", "is no folder"),
        ("short.txt", ".", "is a folder"),
    ):
        assert says in assert_one_line_error(edgekit("imatrix", "demo", tmp_path / texts, "--out", tmp_path / out))
    assert {path.name for path in tmp_path.iterdir()} == {"short.txt", "noise.txt"}


def test_options_that_are_none_are_wrong_usage(tmp_path: Path, edgekit: Command) -> None:
    for options in (
        ("--quant", "Q9"),
        ("--tensor-type", "ffn"),
        ("--tensor-type", "(=Q8_0"),
        ("--tensor-type", "ffn=Q9"),
        ("--token-embedding-type", "X"),
        ("--to", "safetensors", "--pure"),
    ):
        result = edgekit("convert", paths.demo_checkpoint(), "--out", tmp_path / "out", *options)
        assert (result.returncode, "Traceback" in result.stderr) == (2, False), options


@pytest.mark.parametrize("how", ["folder", "config", "card"])
def test_a_checkpoint_trained_for_q4_0_asks_before_others(how: str, tmp_path: Path, edgekit: Command) -> None:
    name = "gemma-4-E2B-it-qat-q4_0-unquantized"
    checkpoint = tmp_path / (name if how == "folder" else "base")
    shutil.copytree(paths.demo_checkpoint(), checkpoint)
    if how == "config":
        config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
        (checkpoint / "config.json").write_text(json.dumps(config | {"_name_or_path": f"google/{name}"}))
    if how == "card":
        (checkpoint / "README.md").write_text(f"---\nbase_model: google/{name}\n---\n", encoding="utf-8")
    common = ("convert", checkpoint, "--out", tmp_path / "out", "--dry-run", "--json", "--projector", "none")
    line = assert_one_line_error(edgekit(*common, "--quant", "Q8_0"))
    assert name in line
    assert "trained to be stored as Q4_0" in line
    assert "--yes" in line
    for options, wanted in (((), "Q4_0"), (("--quant", "Q4_0"), "Q4_0"), (("--quant", "Q8_0", "--yes"), "Q8_0")):
        result = edgekit(*common, *options)
        assert result.returncode == 0, result.stderr
        assert json.loads(result.stdout)["outputs"][0]["quantization"] == wanted


def test_other_names_are_no_mark(tmp_path: Path) -> None:
    for name in ("squat-model", "gemma-4-qatar", "gemma-4-E2B-it"):
        shutil.copytree(paths.demo_checkpoint(), tmp_path / name)
        assert quantization_aware_name(tmp_path / name) is None


@pytest.mark.skipif(sys.platform != "linux", reason="/proc says when the model is loaded")
def test_ctrl_c_leaves_nothing_behind(tmp_path: Path, environment: dict[str, str], edgekit: Command) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("A red circle above a green square. " * 60_000, encoding="utf-8")
    (tmp_path / "out").mkdir()
    line = [sys.executable, "-m", "edgekit", "imatrix", "demo", str(texts), "--out", str(tmp_path / "out" / "made")]
    process = subprocess.Popen(line, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        while not _reads(process.pid):
            assert process.poll() is None, process.communicate()
            time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=120)
    finally:
        process.kill()
    assert (process.returncode, stdout, stderr.strip()) == (1, "", "stopped; nothing was written")
    assert list((tmp_path / "out").iterdir()) == []


def _reads(pid: int) -> bool:
    """Say whether a process has the model's file in memory."""
    return ".gguf" in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
