"""Importance matrices: how much each column of a weight matters, in both of llama-imatrix's file forms."""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

import numpy as np
from gguf import GGUF_MAGIC
from gguf import GGMLQuantizationType as Type

from edgekit.catalog.mixture import needs_importance
from edgekit.convert import keys
from edgekit.convert.safetensors import Floats
from edgekit.errors import FileError, UnsupportedError
from edgekit.gguf_header import Header, read_header

# Names that llama-imatrix gives what it writes.
SUMS, COUNTS = ".in_sum2", ".counts"
DATASETS, CHUNK_COUNT, CHUNK_SIZE = "imatrix.datasets", "imatrix.chunk_count", "imatrix.chunk_size"
# llama-quantize keeps the texts of its keys in so many bytes.
_LONGEST_TEXT = 127
_EMBEDDINGS = ("token_embd.weight", "per_layer_token_embd.weight")
HOW_TO_MAKE = "make one with `edgekit imatrix` and give it with --imatrix"


@dataclass(frozen=True)
class ImportanceMatrix:
    """Mean squares of what each column of a weight is multiplied by."""

    path: Path
    # By the weight's GGUF name; those of a weight of several experts one after the other.
    entries: Mapping[str, Floats]
    # The texts that it was made from; None where the file does not say.
    dataset: str | None
    # How many pieces of these texts were read; 0 where the file does not say.
    chunks: int

    def metadata(self) -> dict[str, keys.Value]:
        """Return the keys that llama-quantize writes of it."""
        made = {
            "quantize.imatrix.file": keys.text(_cut(str(self.path))),
            "quantize.imatrix.entries_count": keys.u32(len(self.entries)),
        }
        if self.dataset is not None:
            made["quantize.imatrix.dataset"] = keys.text(_cut(self.dataset))
        if self.chunks > 0:
            made["quantize.imatrix.chunks_count"] = keys.u32(self.chunks)
        return made

    def of(self, name: str, shape: tuple[int, ...]) -> Floats | None:
        """Return a weight's importance by its numpy shape: (width,), or (experts, width); None where it has none.

        Raises FileError where the matrix was made from another model.
        """
        wanted = (shape[0], shape[-1]) if len(shape) > 2 else shape[-1:]
        found = self.entries.get(name)
        if found is None:
            return None
        if found.size == math.prod(wanted):
            return found.reshape(wanted)
        if name in _EMBEDDINGS:
            # Looked up and not multiplied: older tools wrote something else there.
            return None
        raise FileError(
            f"{self.path} belongs to another model: it has {found.size} values for {name}, "
            f"whose shape is {list(shape)}; {HOW_TO_MAKE}"
        )


def importance_of(
    matrix: ImportanceMatrix | None, name: str, shape: tuple[int, ...], type: Type, quantization: str, *, is_used: bool
) -> Floats | None:
    """Return a weight's importance for quantizing it to `type`.

    Raises UnsupportedError where the type is noise without one, as llama-quantize does; a weight that no output uses
    may be noise.
    """
    found = matrix.of(name, shape) if matrix else None
    if found is not None or not needs_importance(name, type.name, quantization):
        return found
    if not is_used:
        return np.ones(math.prod(shape[:-2]) * shape[-1], np.float32)
    if matrix is None:
        raise UnsupportedError(f"{quantization} needs an importance matrix, or {name} becomes noise: {HOW_TO_MAKE}")
    raise UnsupportedError(f"{matrix.path} has nothing about {name}, which {quantization} needs: {HOW_TO_MAKE}")


def read_imatrix(path: Path) -> ImportanceMatrix:
    """Read an importance matrix, GGUF or legacy; raises FileError where it is missing, damaged or something else."""
    try:
        with path.open("rb") as file:
            is_gguf = file.read(4) == struct.pack("<I", GGUF_MAGIC)
        # What numbers in a damaged file lead to is looked for below.
        with np.errstate(all="ignore"):
            found = _read_gguf(path) if is_gguf else _read_legacy(path)
    except OSError as problem:
        raise FileError(f"{path} cannot be read: {problem.strerror}") from problem
    for name, values in found.entries.items():
        if not (np.isfinite(values).all() and (values >= 0).all()):
            raise _damaged(path, f"{name} has values that are no mean squares")
    return found


def _read_gguf(path: Path) -> ImportanceMatrix:
    header = read_header(path)
    datasets, chunks = header.array(DATASETS), header.keys.get(CHUNK_COUNT)
    if DATASETS not in header.keys or not isinstance(chunks, int) or CHUNK_SIZE not in header.keys:
        raise FileError(f"{path} is no importance matrix: {HOW_TO_MAKE}")
    names = {name.removesuffix(end) for name in header.tensors for end in (SUMS, COUNTS) if name.endswith(end)}
    if not names:
        raise _damaged(path, "it has no entry")
    entries = {name: _mean_squares(header, name) for name in sorted(names)}
    return ImportanceMatrix(path, entries, str(datasets[0]) if datasets else None, chunks)


def _mean_squares(header: Header, name: str) -> Floats:
    sums, counts = (_tensor(header, name + end) for end in (SUMS, COUNTS))
    counts = np.rint(counts)
    if not counts.size or sums.size % counts.size or not (counts >= 0).all():
        raise _damaged(header.path, f"{name} has {sums.size} sums for {counts.size} counts")
    rows, counts = sums.reshape(counts.size, -1), counts.reshape(-1, 1)
    # An expert that no token was sent to weighs all its columns alike.
    means: Floats = np.where(counts > 0, rows / np.where(counts > 0, counts, 1), np.float32(1))
    return means.reshape(-1)


def _tensor(header: Header, name: str) -> Floats:
    place = header.tensors.get(name)
    if place is None or place.type != Type.F32:
        raise _damaged(header.path, f"{name} is missing or not F32")
    with header.path.open("rb") as file:
        file.seek(place.offset)
        try:
            return np.frombuffer(_take(file, place.bytes), "<f4")
        except ValueError as problem:
            raise _damaged(header.path, f"{name} is cut short") from problem


def _read_legacy(path: Path) -> ImportanceMatrix:
    entries: dict[str, Floats] = {}
    try:
        # Read as it goes along, and not mapped: any file at all may have been named, or be cut meanwhile.
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            for _ in range(_number(file)):
                name, calls, length = _text(file), _number(file), _number(file)
                if length < 1:
                    raise ValueError
                sums = np.frombuffer(_take(file, 4 * length), "<f4")
                entries[name] = (sums / np.float32(max(calls, 1))).astype(np.float32)
            # Files of llama.cpp's first versions end here.
            chunks = _number(file) if file.tell() < size else 0
            dataset = _text(file) if file.tell() < size else ""
    except ValueError as problem:
        raise FileError(f"{path} is no importance matrix, or cut short or damaged: {HOW_TO_MAKE}") from problem
    if not entries:
        raise _damaged(path, "it has no entry")
    return ImportanceMatrix(path, entries, dataset or None, chunks)


def _text(file: BufferedReader) -> str:
    return _take(file, _number(file)).decode("utf-8", "replace")


def _number(file: BufferedReader) -> int:
    return int.from_bytes(_take(file, 4), "little", signed=True)


def _take(file: BufferedReader, count: int) -> bytes:
    """Read bytes; raises ValueError where there are not so many, before memory is taken for them."""
    if not 0 <= count <= os.fstat(file.fileno()).st_size - file.tell():
        raise ValueError
    data = file.read(count)
    if len(data) != count:
        raise ValueError
    return data


def _cut(text: str) -> str:
    return text.encode("utf-8", "replace")[:_LONGEST_TEXT].decode("utf-8", "ignore")


def _damaged(path: Path, what: str) -> FileError:
    return FileError(f"{path} is damaged: {what}; {HOW_TO_MAKE}")
