"""What a GGUF file says about itself: its keys and where its tensors lie, read without its data."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import cast

from gguf import GGML_QUANT_SIZES, GGUF_MAGIC, GGMLQuantizationType, GGUFValueType

from edgekit.errors import FileError

Scalar = bool | int | float | str

DEFAULT_ALIGNMENT = 32
_SCALARS = {
    GGUFValueType.UINT8: "<B",
    GGUFValueType.INT8: "<b",
    GGUFValueType.UINT16: "<H",
    GGUFValueType.INT16: "<h",
    GGUFValueType.UINT32: "<I",
    GGUFValueType.INT32: "<i",
    GGUFValueType.UINT64: "<Q",
    GGUFValueType.INT64: "<q",
    GGUFValueType.FLOAT32: "<f",
    GGUFValueType.FLOAT64: "<d",
    GGUFValueType.BOOL: "<?",
}
_SIZES = {kind: struct.calcsize(form) for kind, form in _SCALARS.items()}
# A key is a length, a name, a type and at least one byte; a tensor has a length, dimensions, a type and an offset.
_SMALLEST_KEY = 8 + 4 + 1
_SMALLEST_TENSOR = 8 + 4 + 8 + 4 + 8
_LONGEST_NAME = 65_535
# ggml has no tensor of more dimensions.
_MOST_DIMENSIONS = 4


@dataclass(frozen=True)
class Array:
    """An array among the keys, left in the file until it is asked for."""

    path: Path
    item: GGUFValueType
    count: int
    offset: int
    bytes: int

    def read(self) -> list[Scalar]:
        """Read the array's values."""
        with self.path.open("rb") as file:
            walk = _Walk(self.path, file)
            walk.go_to(self.offset)
            return [walk.scalar(self.item) for _ in range(self.count)]


@dataclass(frozen=True)
class TensorPlace:
    """A tensor and where its bytes lie; the shape's last dimension is the one stored together, as in numpy."""

    name: str
    shape: tuple[int, ...]
    type: GGMLQuantizationType
    # From the start of the file.
    offset: int
    bytes: int


@dataclass(frozen=True)
class Header:
    """A GGUF file's keys and tensors."""

    path: Path
    version: int
    keys: dict[str, Scalar | Array]
    tensors: dict[str, TensorPlace]
    # Where the tensors' data begin, from the start of the file.
    data_offset: int
    bytes: int

    def array(self, key: str) -> list[Scalar]:
        """Read the array under `key`; empty where there is none."""
        value = self.keys.get(key)
        return value.read() if isinstance(value, Array) else []

    def text(self, key: str) -> str | None:
        """Return the string under `key`; None where there is none."""
        value = self.keys.get(key)
        return value if isinstance(value, str) else None


def read_header(path: Path) -> Header:
    """Walk a GGUF file's header and check every count, type, length and offset against the file's size.

    Raises FileError where the file is missing, no GGUF, cut short or damaged. Layout: ggml's docs/gguf.md.
    """
    # A pipe would be waited for, and cannot be read twice.
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise FileError(f"{path} is no file but a pipe or a device: name a .gguf file")
    try:
        with path.open("rb") as file:
            return _read(_Walk(path, file))
    except IsADirectoryError as problem:
        raise FileError(f"{path} is a folder, not a GGUF file: name a .gguf file in it") from problem
    except FileNotFoundError as problem:
        raise FileError(f"{path} does not exist: check its name, or make it with `edgekit convert`") from problem
    except OSError as problem:
        raise FileError(f"{path} cannot be read: {problem.strerror}") from problem


def _read(walk: _Walk) -> Header:
    if walk.size < 24 or walk.number("<I") != GGUF_MAGIC:
        raise FileError(f"{walk.path} is no GGUF file: name a model made by `edgekit convert` or downloaded as .gguf")
    version = walk.number("<I")
    if version not in (2, 3):
        raise FileError(f"{walk.path} is GGUF version {version}; edgekit reads versions 2 and 3: convert it again")
    tensor_count, key_count = walk.number("<Q"), walk.number("<Q")
    walk.expect(key_count * _SMALLEST_KEY + tensor_count * _SMALLEST_TENSOR)
    keys: dict[str, Scalar | Array] = {}
    for _ in range(key_count):
        name = walk.name()
        if name in keys:
            raise walk.damaged(f"the key {name!r} stands twice")
        keys[name] = walk.value()
    places = [_place(walk) for _ in range(tensor_count)]
    alignment = keys.get("general.alignment", DEFAULT_ALIGNMENT)
    if not isinstance(alignment, int) or alignment < 8 or alignment & (alignment - 1):
        raise walk.damaged(f"an alignment of {alignment}")
    start = -(-walk.position // alignment) * alignment
    return Header(walk.path, version, keys, _tensors(walk, places, start, alignment), start, walk.size)


def _place(walk: _Walk) -> TensorPlace:
    name = walk.name()
    dimensions = walk.number("<I")
    if not 1 <= dimensions <= _MOST_DIMENSIONS:
        raise walk.damaged(f"tensor {name!r} with {dimensions} dimensions")
    shape = tuple(reversed([walk.number("<Q") for _ in range(dimensions)]))
    number = walk.number("<I")
    try:
        kind = GGMLQuantizationType(number)
    except ValueError as problem:
        raise walk.damaged(f"tensor {name!r} of type {number}, which this edgekit does not know") from problem
    block, block_bytes = GGML_QUANT_SIZES[kind]
    if shape[-1] % block:
        raise walk.damaged(f"tensor {name!r} with rows of {shape[-1]}, no multiple of {kind.name}'s {block}")
    return TensorPlace(name, shape, kind, walk.number("<Q"), math.prod(shape) // block * block_bytes)


def _tensors(walk: _Walk, places: list[TensorPlace], start: int, alignment: int) -> dict[str, TensorPlace]:
    tensors: dict[str, TensorPlace] = {}
    expected = 0
    for place in places:
        if place.name in tensors:
            raise walk.damaged(f"the tensor {place.name!r} stands twice")
        # One after the other, as llama.cpp wants them: some that share bytes would ask for any amount of work.
        if place.offset != expected:
            raise walk.damaged(f"tensor {place.name!r} at {place.offset} and not at {expected}")
        end = start + place.offset + place.bytes
        if end > walk.size:
            raise walk.cut_short(end)
        tensors[place.name] = TensorPlace(place.name, place.shape, place.type, start + place.offset, place.bytes)
        expected += -(-place.bytes // alignment) * alignment
    return tensors


class _Walk:
    """Reads forward through a header and never past the file's end."""

    def __init__(self, path: Path, file: BufferedReader) -> None:
        self.path = path
        self.file = file
        self.size = file.seek(0, 2)
        self.position = file.seek(0)

    def go_to(self, offset: int) -> None:
        self.position = self.file.seek(offset)

    def expect(self, count: int) -> None:
        """Refuse a count of bytes that the file does not have, before anything is allocated for it."""
        if count > self.size - self.position:
            raise self.cut_short(self.position + count)

    def take(self, count: int) -> bytes:
        self.expect(count)
        data = self.file.read(count)
        # Shorter only if another program cuts the file while it is read.
        if len(data) != count:
            raise self.cut_short(self.position + count)
        self.position += count
        return data

    def number(self, form: str) -> int:
        return cast(int, struct.unpack(form, self.take(struct.calcsize(form)))[0])

    def text(self) -> str:
        # Ollama's and some older files hold tokens that are no UTF-8: they are shown, not refused.
        return self.take(self.number("<Q")).decode("utf-8", errors="replace")

    def name(self) -> str:
        length = self.number("<Q")
        if not 1 <= length <= _LONGEST_NAME:
            raise self.damaged(f"a name of {length} bytes")
        return self.take(length).decode("utf-8", errors="replace")

    def kind(self) -> GGUFValueType:
        number = self.number("<I")
        try:
            return GGUFValueType(number)
        except ValueError as problem:
            raise self.damaged(f"a value of type {number}") from problem

    def scalar(self, kind: GGUFValueType) -> Scalar:
        if kind == GGUFValueType.STRING:
            return self.text()
        return cast(Scalar, struct.unpack(_SCALARS[kind], self.take(_SIZES[kind]))[0])

    def value(self) -> Scalar | Array:
        kind = self.kind()
        return self.array() if kind == GGUFValueType.ARRAY else self.scalar(kind)

    def array(self) -> Array:
        item = self.kind()
        if item == GGUFValueType.ARRAY:
            raise self.damaged("an array of arrays")
        count, offset = self.number("<Q"), self.position
        if item == GGUFValueType.STRING:
            self.expect(count * 8)
            self._skip_texts(count)
        else:
            self.expect(count * _SIZES[item])
            self.go_to(self.position + count * _SIZES[item])
        return Array(self.path, item, count, offset, self.position - offset)

    def _skip_texts(self, count: int) -> None:
        # A vocabulary has hundreds of thousands of strings: only their lengths are read.
        read, seek, size, position = self.file.read, self.file.seek, self.size, self.position
        for _ in range(count):
            length = int.from_bytes(read(8), "little")
            position += 8 + length
            if position > size:
                raise self.cut_short(position)
            seek(length, 1)
        self.position = position

    def cut_short(self, end: int) -> FileError:
        return FileError(
            f"{self.path} is cut short or damaged: it has {self.size} bytes and its header asks for {end}; "
            "download or convert it again"
        )

    def damaged(self, what: str) -> FileError:
        return FileError(f"{self.path} is damaged: its header has {what}; download or convert it again")
