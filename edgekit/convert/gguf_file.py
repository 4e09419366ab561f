"""Writes a GGUF file as a stream: header first, then each tensor's rows, whole or not at all."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from gguf import GGML_QUANT_SIZES, GGUF_MAGIC, GGUF_VERSION, GGMLQuantizationType

from edgekit.convert import keys
from edgekit.convert.whole_file import WholeFile
from edgekit.gguf_header import DEFAULT_ALIGNMENT


@dataclass(frozen=True)
class TensorInfo:
    """A tensor as the header lists it; the shape is numpy's, its last dimension stored together."""

    name: str
    shape: tuple[int, ...]
    type: GGMLQuantizationType

    @property
    def bytes(self) -> int:
        """What its data take in the file, padding aside."""
        rows = 1
        for length in self.shape[:-1]:
            rows *= length
        return rows * row_bytes(self.type, self.shape[-1])


def row_bytes(type: GGMLQuantizationType, width: int) -> int:
    """Return what a row of `width` values takes in a type; `width` is a multiple of the type's block."""
    block, block_bytes = GGML_QUANT_SIZES[type]
    return int(width // block * block_bytes)


def header(metadata: keys.Keys, tensors: Sequence[TensorInfo]) -> bytes:
    """Return everything before the first tensor's data. Layout: ggml's docs/gguf.md, version 3."""
    parts = [struct.pack("<IIQQ", GGUF_MAGIC, GGUF_VERSION, len(tensors), len(metadata))]
    for key, value in metadata.items():
        parts += [keys.encode_text(key), keys.encode(value)]
    offset = 0
    for tensor in tensors:
        lengths = tuple(reversed(tensor.shape))
        parts.append(keys.encode_text(tensor.name))
        parts.append(struct.pack(f"<I{len(lengths)}QIQ", len(lengths), *lengths, tensor.type, offset))
        offset += _padded(tensor.bytes)
    made = b"".join(parts)
    return made + bytes(_padded(len(made)) - len(made))


def file_size(header_bytes: int, tensors: Sequence[TensorInfo]) -> int:
    """Return how large a file with this header and these tensors becomes."""
    return header_bytes + sum(_padded(tensor.bytes) for tensor in tensors)


def _padded(count: int) -> int:
    return -(-count // DEFAULT_ALIGNMENT) * DEFAULT_ALIGNMENT


class GGUFWriter:
    """Takes tensors' bytes in the order of the header and keeps count of them, and of the file's digest."""

    def __init__(self, file: WholeFile, head: bytes, tensors: Sequence[TensorInfo]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._waiting = list(reversed(tensors))
        # Of the tensor now being written.
        self._left = 0
        self._padding = 0
        self._put(head)

    def write(self, name: str, data: bytes | memoryview) -> None:
        """Append bytes of a tensor; tensors come in the header's order, each in pieces of any size."""
        while not self._left:
            self._next(name)
        if len(data) > self._left:
            raise ValueError(f"{name}: {len(data)} bytes where {self._left} are left")
        self._put(data)
        self._left -= len(data)
        if not self._left:
            self._put(bytes(self._padding))

    def finish(self) -> str:
        """Check that every tensor was written whole and return the file's SHA-256."""
        if self._left or self._waiting:
            raise ValueError(f"{len(self._waiting)} tensors were not written")
        return self._digest.hexdigest()

    def _next(self, name: str) -> None:
        tensor = self._waiting.pop()
        if tensor.name != name:
            raise ValueError(f"{name} where {tensor.name} is expected")
        self._left = tensor.bytes
        self._padding = _padded(tensor.bytes) - tensor.bytes

    def _put(self, data: bytes | memoryview) -> None:
        self._file.write(data)
        self._digest.update(data)
