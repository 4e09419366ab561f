"""What is wrong with a folder of ONNX files is said in one line, by reading it or by onnxruntime."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
from oracles.pico_onnx import PRECISIONS, onnx_folder

from edgekit.engine.onnx import checksums
from edgekit.engine.onnx.damage import check_whole
from edgekit.engine.onnx.engine import OnnxEngine
from edgekit.engine.onnx.folder import check_folder, check_precision, is_onnx_folder
from edgekit.engine.onnx.graph_file import check_graph
from edgekit.engine.onnx.runtime import CPU, find_provider
from edgekit.engine.onnx.vocabulary import OnnxVocabulary
from edgekit.errors import EdgekitError, FileError, UnsupportedError
from edgekit.fit.onnx_plan import OnnxPlan

__all__ = ["onnx_folder"]

DECODER = "onnx/decoder_model_merged.onnx"


@pytest.fixture
def spoiled(onnx_folder, tmp_path):
    """A copy, to spoil."""
    return shutil.copytree(onnx_folder, tmp_path / "model")


def open_and_read(folder):
    engine = OnnxEngine.open(OnnxPlan(folder, "fp32", context=256, threads=1))
    list(engine.read([engine.vocabulary.tokenize("<bos>Hello")]))


def change(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_precisions(onnx_folder, spoiled):
    assert is_onnx_folder(onnx_folder)
    assert set(check_folder(onnx_folder).precisions) == set(PRECISIONS)
    (spoiled / "onnx/embed_tokens_q4.onnx").unlink()
    folder = check_folder(spoiled)
    assert folder.precisions == ("fp32",)
    with pytest.raises(FileError, match=r"has no q4: it has fp32$"):
        check_precision(folder, "q4")


def test_providers():
    assert find_provider(None) == find_provider("cpu") == find_provider("CPUExecutionProvider") == CPU
    with pytest.raises(UnsupportedError, match=r"no provider abacus: it has .*cpu"):
        find_provider("abacus")


def test_an_older_onnxruntime(onnx_folder, monkeypatch):
    monkeypatch.setattr("onnxruntime.__version__", "1.23.2")
    with pytest.raises(UnsupportedError, match=r"onnxruntime 1\.23\.2 cannot compute .* 1\.30 or newer"):
        open_and_read(onnx_folder)


def test_a_graph_is_whole_or_is_not(spoiled):
    """Cut anywhere but between the operator sets at its end, with or without its weights."""
    path = spoiled / "onnx/embed_tokens_q4.onnx"
    check_graph(path)
    whole = path.read_bytes()
    for size in range(len(whole) - 60):
        path.write_bytes(whole[:size])
        with pytest.raises(FileError, match="is no ONNX graph"):
            check_graph(path)
    weights = path.with_name(f"{path.name}_data")
    path.write_bytes(whole)
    data = weights.read_bytes()
    weights.write_bytes(data[:-1])
    with pytest.raises(FileError, match=rf"it has {len(data) - 1} of {len(data)} bytes"):
        check_graph(path)
    path.write_bytes(whole.replace(weights.name.encode(), b"/" + weights.name.encode()[1:]))
    with pytest.raises(FileError, match="is no ONNX graph"):
        check_graph(path)


def test_a_tokenizer_is_one(onnx_folder, spoiled):
    check_whole(check_folder(onnx_folder))
    for text in ("{}", '{"model": []}', '{"model": {"vocab": {}}}'):
        (spoiled / "tokenizer.json").write_text(text)
        with pytest.raises(FileError, match="is no tokenizer"):
            check_whole(check_folder(spoiled))


@pytest.mark.parametrize("size", [None, -5, True, "large"])
def test_a_vocabulary_of_no_size_is_as_large_as_the_tokenizers(size, onnx_folder, spoiled):
    text = check_folder(onnx_folder).text_config
    change(spoiled / "config.json", text_config=text | {"vocab_size": size})
    open_and_read(spoiled)
    assert OnnxVocabulary(check_folder(spoiled)).size == OnnxVocabulary(check_folder(onnx_folder)).size


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("config.json", lambda path: path.unlink()),
        ("config.json", lambda path: path.write_text("{")),
        ("config.json", lambda path: path.write_text("[]")),
        ("config.json", lambda path: change(path, model_type="llama")),
        ("config.json", lambda path: change(path, text_config={"max_position_embeddings": 64})),
        ("config.json", lambda path: change(path, image_token_id="<|image|>")),
        ("tokenizer.json", lambda path: path.unlink()),
        ("tokenizer.json", lambda path: path.write_text("{}")),
        (DECODER, lambda path: path.unlink()),
        (DECODER, lambda path: path.write_bytes(b"")),
        (DECODER, lambda path: path.write_bytes(path.read_bytes()[:5000])),
        (DECODER, lambda path: path.write_bytes(b"\xff" * 5000)),
        (DECODER, lambda path: shutil.copy(path.with_name("embed_tokens.onnx"), path)),
        (f"{DECODER}_data", lambda path: path.unlink()),
        (f"{DECODER}_data", lambda path: path.write_bytes(path.read_bytes()[:9000])),
    ],
)
def test_spoiled(name, spoil, spoiled):
    spoil(spoiled / name)
    with pytest.raises(EdgekitError) as problem:
        open_and_read(spoiled)
    assert "\n" not in str(problem.value)
    assert str(spoiled) in str(problem.value) or spoiled.name in str(problem.value)


def heard_changes(folder):
    heard = []
    found = list(checksums.changed(folder, lambda done, total, name: heard.append((done, total))))
    assert heard == sorted(heard)
    assert not heard or heard[-1][0] == heard[-1][1]
    return found, heard


def test_checksums_are_those_that_sha256sum_reads(onnx_folder):
    done = subprocess.run(
        ["sha256sum", "-c", "--strict", "SHA256SUMS"], cwd=onnx_folder, capture_output=True, check=True
    )
    named = {line.split(b":")[0].decode() for line in done.stdout.splitlines()}
    there = {file.relative_to(onnx_folder).as_posix() for file in (onnx_folder / "onnx").iterdir()}
    assert named == there | {"tokenizer.json"}
    assert heard_changes(onnx_folder)[0] == []


@pytest.mark.parametrize("name", ["onnx/decoder_model_merged_q4.onnx_data", DECODER, "tokenizer.json"])
def test_one_flipped_bit_is_found(spoiled, name):
    with (spoiled / name).open("r+b") as file:
        file.seek(1000)
        [byte] = file.read(1)
        file.seek(1000)
        file.write(bytes([byte ^ 1]))
    found, heard = heard_changes(spoiled)
    assert found == [
        f"{spoiled / name} is damaged: its checksum is not that of SHA256SUMS; convert or download it again"
    ]
    assert heard


def test_names_that_would_end_a_line_have_no_checksum(tmp_path):
    names = ["onnx/a.onnx", "french.onnx_adapter", "odd\nname.onnx_adapter", "\udcff.onnx_adapter", "config.json"]
    made = checksums.text(tmp_path, {tmp_path / name: "0" * 64 for name in names})
    assert [line.split("  ")[1] for line in made.decode().splitlines()] == names[:2]


def test_settings_may_be_changed_and_files_left_out(spoiled):
    change(spoiled / "generation_config.json", temperature=0.5)
    for file in (spoiled / "onnx").glob("*_q4.onnx*"):
        file.unlink()
    assert heard_changes(spoiled)[0] == []
    (spoiled / "SHA256SUMS").unlink()
    assert heard_changes(spoiled) == ([], [])


@pytest.mark.parametrize(
    "line",
    [
        b"00  x",
        b"\xff",
        *(b"0" * 64 + b"  " + name for name in (b"../../secret", b"/etc/passwd", b"\x1b[2J", b"x" * 300)),
    ],
)
def test_checksums_of_elsewhere_are_refused(spoiled, line):
    with (spoiled / "SHA256SUMS").open("ab") as file:
        file.write(line + b"\n")
    with pytest.raises(FileError, match=r"SHA256SUMS is damaged: .* convert or download it again$") as found:
        list(checksums.changed(spoiled, lambda done, total, name: None))
    assert str(found.value).isprintable()
