"""The header walk: reads what gguf's own reader reads, and survives any damage with one kind of error."""

from __future__ import annotations

import os
import struct
import tempfile
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edgekit.errors import FileError
from edgekit.gguf_header import Array, read_header


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a GGUF with every type of key, by gguf's own writer."""
    path = tmp_path_factory.mktemp("gguf") / "small.gguf"
    writer = gguf.GGUFWriter(path, "gemma4")
    for kind in ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"):
        getattr(writer, f"add_{kind}")(f"a.{kind}", 7)
    writer.add_float32("a.float32", 0.5)
    writer.add_float64("a.float64", 0.25)
    writer.add_bool("a.bool", True)
    writer.add_string("a.string", "Grüße")
    writer.add_array("a.words", ["one", "", "drei"])
    writer.add_array("a.numbers", [1, -2, 3])
    writer.add_array("a.flags", [True, False])
    writer.add_tensor("matrix", np.arange(64, dtype=np.float32).reshape(2, 32))
    blocks = gguf.quants.quantize(np.ones((3, 64), np.float32), gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("blocks", blocks, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_it_reads_what_ggufs_reader_reads(small: Path) -> None:
    header, reader = read_header(small), gguf.GGUFReader(small)
    expected = {name: field.contents() for name, field in reader.fields.items() if not name.startswith("GGUF.")}
    found = {key: value.read() if isinstance(value, Array) else value for key, value in header.keys.items()}
    assert found == expected
    assert header.text("a.string") == "Grüße"
    assert header.array("a.words") == ["one", "", "drei"]
    assert header.array("a.absent") == []
    places = [
        (t.name, tuple(map(int, reversed(t.shape))), t.tensor_type, t.data_offset, t.n_bytes) for t in reader.tensors
    ]
    assert [(t.name, t.shape, t.type, t.offset, t.bytes) for t in header.tensors.values()] == places


def refuse(data: bytes) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.gguf"
        path.write_bytes(data)
        with pytest.raises(FileError) as problem:
            read_header(path)
    message = str(problem.value)
    assert "\n" not in message
    assert str(path) in message
    return message


@pytest.mark.parametrize("share", [0, 0.001, 0.2, 0.5, 0.9, 0.95])
def test_a_file_cut_anywhere_is_refused(small: Path, share: float) -> None:
    data = small.read_bytes()
    message = refuse(data[: int(len(data) * share)])
    assert "cut short" in message or "no GGUF" in message


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.gguf")
    with pytest.raises(FileError, match="is no file but a pipe"):
        read_header(tmp_path / "pipe.gguf")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for path, reason in [(tmp_path / "absent.gguf", "does not exist"), (tmp_path, "folder")]:
        with pytest.raises(FileError, match=reason):
            read_header(path)


def start(tensors: int, keys: int, version: int = 3) -> bytes:
    return struct.pack("<IIQQ", gguf.GGUF_MAGIC, version, tensors, keys)


def key(name: bytes, kind: int, value: bytes) -> bytes:
    return struct.pack("<Q", len(name)) + name + struct.pack("<I", kind) + value


ENORMOUS = (1 << 64) - 1
TENSOR = struct.pack("<Q", 1) + b"t"
DAMAGED = {
    "endless tensors": start(ENORMOUS, 0),
    "endless keys": start(0, ENORMOUS),
    "more keys than bytes": start(0, 1_000_000) + bytes(64),
    "version": start(0, 0, version=9),
    "name without end": start(0, 1) + struct.pack("<Q", ENORMOUS) + bytes(64),
    "string without end": start(0, 1) + key(b"k", 8, struct.pack("<Q", ENORMOUS)) + bytes(64),
    "array without end": start(0, 1) + key(b"k", 9, struct.pack("<IQ", 4, ENORMOUS)) + bytes(64),
    "strings without end": start(0, 1) + key(b"k", 9, struct.pack("<IQ", 8, ENORMOUS)) + bytes(64),
    "a string in them without end": start(0, 1) + key(b"k", 9, struct.pack("<IQQ", 8, 1, 1 << 62)) + bytes(64),
    "array of arrays": start(0, 1) + key(b"k", 9, struct.pack("<IQ", 9, 1)) + bytes(64),
    "unknown type": start(0, 1) + key(b"k", 77, bytes(64)),
    "a key twice": start(0, 2) + key(b"k", 7, b"\1") * 2 + bytes(64),
    "alignment": start(0, 1) + key(b"general.alignment", 4, struct.pack("<I", 3)) + bytes(64),
    "alignment that is a word": start(0, 1) + key(b"general.alignment", 8, struct.pack("<Q", 1) + b"x") + bytes(64),
    "dimensions": start(1, 0) + TENSOR + struct.pack("<I", 9) + bytes(128),
    "size": start(1, 0) + TENSOR + struct.pack("<I4QIQ", 4, *(4 * [1 << 60]), 0, 0) + bytes(64),
    "tensor type": start(1, 0) + TENSOR + struct.pack("<IQIQ", 1, 32, 999, 0) + bytes(256),
    "part of a block": start(1, 0) + TENSOR + struct.pack("<IQIQ", 1, 33, 8, 0) + bytes(256),
    "offset": start(1, 0) + TENSOR + struct.pack("<IQIQ", 1, 1, 0, 1 << 40) + bytes(64),
    "crooked offset": start(1, 0) + TENSOR + struct.pack("<IQIQ", 1, 1, 0, 5) + bytes(64),
    "tensors that share bytes": start(2, 0)
    + (TENSOR + struct.pack("<IQIQ", 1, 8, 0, 0))
    + (struct.pack("<Q", 1) + b"u" + struct.pack("<IQIQ", 1, 8, 0, 0))
    + bytes(128),
    "a tensor twice": start(2, 0) + (TENSOR + struct.pack("<IQIQ", 1, 1, 0, 0)) * 2 + bytes(64),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_header_is_refused_before_anything_is_allocated(kind: str) -> None:
    refuse(DAMAGED[kind])


# Where a header's counts, types and lengths lie is what a mutation has to find: most bytes of a real one are text.
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 900), st.integers(0, 255)), min_size=1, max_size=6), st.integers(0, 900))
@example([(8, 255), (15, 255)], 0)
@example([(16, 0)], 0)
def test_a_mutated_header_is_read_or_refused(small: Path, changes: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(small.read_bytes())
    for place, value in changes:
        data[place % len(data)] = value
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.gguf"
        path.write_bytes(data[: len(data) - cut])
        try:
            header = read_header(path)
        except FileError:
            return
        for tensor in header.tensors.values():
            assert header.data_offset <= tensor.offset
            assert tensor.offset + tensor.bytes <= header.bytes
        for value in header.keys.values():
            if isinstance(value, Array):
                assert len(value.read()) == value.count
