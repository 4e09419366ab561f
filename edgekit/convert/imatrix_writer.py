"""Writes importance matrices in both of llama-imatrix's file forms, whole or not at all."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFType, GGUFValueType, Keys

from edgekit.convert import keys
from edgekit.convert.gguf_file import GGUFWriter, TensorInfo, header
from edgekit.convert.imatrix import CHUNK_COUNT, CHUNK_SIZE, COUNTS, DATASETS, SUMS
from edgekit.convert.safetensors import Floats
from edgekit.convert.whole_file import WholeFile
from edgekit.engine.imatrix import Squares
from edgekit.errors import FileError


def check_place(path: Path) -> None:
    """Raise FileError where no file can be written: it would be noticed only after the measuring."""
    if path.is_dir():
        raise FileError(f"{path} is a folder: name a file with --out")
    if not path.parent.is_dir():
        raise FileError(f"{path.parent} is no folder: make it first, or choose another --out")


def write_imatrix(
    path: Path, found: Mapping[str, Squares], datasets: Sequence[str], chunks: int, chunk_size: int
) -> None:
    """Write sums and counts by weight to a GGUF file; `datasets` names the texts, read in `chunks` pieces."""
    tensors: dict[TensorInfo, Floats] = {}
    for name, squares in sorted(found.items()):
        # Like ggml, without the dimension of experts where there are none.
        shape = squares.sums.shape if len(squares.counts) > 1 else squares.sums.shape[1:]
        tensors[TensorInfo(name + SUMS, shape, GGMLQuantizationType.F32)] = squares.sums.astype("<f4")
        tensors[TensorInfo(name + COUNTS, (*shape[:-1], 1), GGMLQuantizationType.F32)] = squares.counts.astype("<f4")
    about = {
        Keys.General.TYPE: keys.text(GGUFType.IMATRIX),
        DATASETS: keys.array(GGUFValueType.STRING, list(datasets)),
        CHUNK_COUNT: keys.u32(chunks),
        CHUNK_SIZE: keys.u32(chunk_size),
    }
    with WholeFile(path) as file:
        writer = GGUFWriter(file, header(about, list(tensors)), list(tensors))
        for info, values in tensors.items():
            writer.write(info.name, values.tobytes())
        writer.finish()


def write_legacy_imatrix(
    path: Path, found: Mapping[str, Squares], datasets: Sequence[str], chunks: int, chunk_size: int
) -> None:
    """Write the form that llama-imatrix wrote before 2025, for tools that read no other."""
    seen = {name: squares for name, squares in sorted(found.items()) if squares.counts.any()}
    parts = [struct.pack("<i", len(seen))]
    for name, squares in seen.items():
        # It keeps no counts: means times how often a piece of text came by.
        calls = -(-int(squares.counts.max()) // chunk_size)
        counts = squares.counts.reshape(-1, 1)
        means = np.where(counts > 0, squares.sums / np.maximum(counts, 1), 1)
        text = name.encode()
        parts += [struct.pack("<i", len(text)), text, struct.pack("<ii", calls, means.size)]
        parts.append((means * calls).astype("<f4").tobytes())
    text = datasets[-1].encode("utf-8", "replace")
    with WholeFile(path) as file:
        file.write(b"".join([*parts, struct.pack("<ii", chunks, len(text)), text]))
