"""Importance matrices of random numbers, in both file forms, and as llama-quantize reads them."""

from __future__ import annotations

import struct
from pathlib import Path

import gguf
import numpy as np

CHUNKS = 7
DATASET = "texts/мир.txt"


def random_sums(model: Path, seed: int = 5) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return sums of squares of shape (experts, width) and counts for each matrix inside a GGUF's layers."""
    dice = np.random.default_rng(seed)
    made = {}
    for tensor in gguf.GGUFReader(model).tensors:
        width, height, *rest = (*(int(length) for length in tensor.shape), 1, 1)
        if tensor.name.startswith("blk.") and tensor.name.endswith(".weight") and height > 1:
            sums = dice.exponential(1000, (rest[0], width)).astype(np.float32)
            # Some columns never see anything but zero, some experts no token.
            sums[:, dice.random(width) < 0.05] = 0
            counts = dice.integers(0 if rest[0] > 1 else 1, 500, (rest[0], 1)).astype(np.float32)
            made[tensor.name] = (sums, counts)
    return made


def write_gguf(path: Path, sums: dict[str, tuple[np.ndarray, np.ndarray]]) -> Path:
    """Write the form of today's llama-imatrix, by the gguf package."""
    writer = gguf.GGUFWriter(path, arch="")
    writer.add_type("imatrix")
    writer.add_array("imatrix.datasets", [DATASET, "another.txt"])
    writer.add_uint32("imatrix.chunk_count", CHUNKS)
    writer.add_uint32("imatrix.chunk_size", 512)
    for name, (values, counts) in sums.items():
        writer.add_tensor(f"{name}.in_sum2", values)
        writer.add_tensor(f"{name}.counts", counts)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_legacy(path: Path, sums: dict[str, tuple[np.ndarray, np.ndarray]]) -> Path:
    """Write the form of llama-imatrix before 2025: tools/imatrix/imatrix.cpp, save_imatrix_legacy."""
    parts = [struct.pack("<i", len(sums))]
    for name, (values, counts) in sums.items():
        data = _means(values, counts) * np.float32(3)
        parts += [struct.pack("<i", len(name)), name.encode(), struct.pack("<ii", 3, data.size)]
        parts.append(data.astype("<f4").tobytes())
    text = DATASET.encode()
    path.write_bytes(b"".join(parts) + struct.pack("<ii", CHUNKS, len(text)) + text)
    return path


def as_read(sums: dict[str, tuple[np.ndarray, np.ndarray]], *, legacy: bool = False) -> dict[str, np.ndarray]:
    """Return what llama-quantize makes of such a file: tools/quantize/quantize.cpp, load_imatrix."""
    three = np.float32(3)
    return {
        name: (_means(values, counts) * three / three if legacy else _means(values, counts)).astype(np.float32)
        for name, (values, counts) in sums.items()
    }


def _means(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    means = np.ones_like(values)
    for row, (sums, (count,)) in enumerate(zip(values, counts, strict=True)):
        if count > 0:
            means[row] = sums / count
    return means.reshape(-1)
