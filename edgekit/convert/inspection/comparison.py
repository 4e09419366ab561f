"""Two GGUF files, tensor by tensor, read as streams."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import Literal

import ml_dtypes
import numpy as np
import numpy.typing as npt
from gguf import GGMLQuantizationType as Type
from gguf import Keys

from edgekit.convert.progress import Progress, silent
from edgekit.convert.safetensors import Doubles
from edgekit.errors import FileError, UnsupportedError
from edgekit.gguf_header import Array, Header, Scalar, TensorPlace, read_header

# Values that are compared at once, and bytes.
_BLOCK = 1 << 20
_FLOATS: dict[Type, npt.DTypeLike] = {Type.F32: np.float32, Type.F16: np.float16, Type.BF16: ml_dtypes.bfloat16}


@dataclass(frozen=True)
class TensorDifference:
    """A tensor that is in one of two files only, or not the same in both."""

    name: str
    what: Literal["only_first", "only_second", "shape", "type", "values"]
    types: tuple[str | None, str | None]
    shapes: tuple[tuple[int, ...] | None, tuple[int, ...] | None]
    # Root mean square of the difference over that of the first; None where one is quantized or has another shape.
    relative_difference: float | None = None


@dataclass(frozen=True)
class KeyDifference:
    """A metadata key that is in one of two files only, or has another value; arrays are named by type and length."""

    key: str
    first: Scalar | None
    second: Scalar | None


@dataclass(frozen=True)
class Comparison:
    """How two files differ."""

    first: Path
    second: Path
    # Tensors of the same type, shape and bytes.
    equal: int
    tensors: list[TensorDifference] = field(default_factory=list)
    metadata: list[KeyDifference] = field(default_factory=list)

    @property
    def is_same(self) -> bool:
        """Say whether nothing differs but, perhaps, the order of things."""
        return not self.tensors and not self.metadata


def compare(first: Path, second: Path, progress: Progress = silent) -> Comparison:
    """Compare two GGUF files; `progress` counts bytes of the first. Raises FileError where one is damaged."""
    headers = read_header(first), read_header(second)
    for header in headers:
        if header.keys.get(Keys.Split.LLM_KV_SPLIT_COUNT, 1) not in (0, 1):
            raise UnsupportedError(
                f"{header.path} is one of several parts: join them with llama-gguf-split --merge first"
            )
    try:
        with first.open("rb") as one, second.open("rb") as other:
            equal, tensors = _tensors(headers, (one, other), progress)
            return Comparison(first, second, equal, tensors, _metadata(headers, (one, other)))
    except OSError as problem:
        raise FileError(f"{problem.filename or first} cannot be read: {problem.strerror}") from problem


def _tensors(
    headers: tuple[Header, Header], files: tuple[BufferedReader, BufferedReader], progress: Progress
) -> tuple[int, list[TensorDifference]]:
    first, second = headers[0].tensors, headers[1].tensors
    total = sum(place.bytes for place in first.values())
    done = 0
    found: list[TensorDifference] = []
    for name, place in first.items():
        difference = _difference((place, second.get(name)), files)
        found += [difference] if difference else []
        done += place.bytes
        progress(done, total, name)
    equal = len(first) - len(found)
    found += [
        TensorDifference(name, "only_second", (None, place.type.name), (None, place.shape))
        for name, place in second.items()
        if name not in first
    ]
    return equal, found


def _difference(
    places: tuple[TensorPlace, TensorPlace | None], files: tuple[BufferedReader, BufferedReader]
) -> TensorDifference | None:
    first, second = places
    if second is None:
        return TensorDifference(first.name, "only_first", (first.type.name, None), (first.shape, None))
    types, shapes = (first.type.name, second.type.name), (first.shape, second.shape)
    if first.shape != second.shape:
        return TensorDifference(first.name, "shape", types, shapes)
    comparable = first.type in _FLOATS and second.type in _FLOATS
    if first.type != second.type:
        relative = _relative((first, second), files) if comparable else None
        return TensorDifference(first.name, "type", types, shapes, relative)
    if _same_bytes((first, second), files):
        return None
    relative = _relative((first, second), files) if comparable else None
    return TensorDifference(first.name, "values", types, shapes, relative)


def _same_bytes(places: tuple[TensorPlace, TensorPlace], files: tuple[BufferedReader, BufferedReader]) -> bool:
    first, second = places
    for start in range(0, first.bytes, _BLOCK):
        count = min(_BLOCK, first.bytes - start)
        if _read(files[0], first.offset + start, count) != _read(files[1], second.offset + start, count):
            return False
    return True


def _relative(places: tuple[TensorPlace, TensorPlace], files: tuple[BufferedReader, BufferedReader]) -> float:
    change = size = 0.0
    elements = math.prod(places[0].shape)
    for start in range(0, elements, _BLOCK):
        count = min(_BLOCK, elements - start)
        first, second = (_values(place, file, start, count) for place, file in zip(places, files, strict=True))
        change += float(np.square(second - first).sum())
        size += float(np.square(first).sum())
    if not change:
        return 0.0
    return math.sqrt(change / size) if size else math.inf


def _values(place: TensorPlace, file: BufferedReader, start: int, count: int) -> Doubles:
    dtype = np.dtype(_FLOATS[place.type])
    data = _read(file, place.offset + start * dtype.itemsize, count * dtype.itemsize)
    return np.frombuffer(data, dtype).astype(np.float64)


def _read(file: BufferedReader, offset: int, count: int) -> bytes:
    file.seek(offset)
    data = file.read(count)
    if len(data) != count:
        raise FileError(f"{file.name} became shorter while it was read: compare it again when it is at rest")
    return data


def _metadata(headers: tuple[Header, Header], files: tuple[BufferedReader, BufferedReader]) -> list[KeyDifference]:
    first, second = headers[0].keys, headers[1].keys
    found = []
    for key in dict.fromkeys([*first, *second]):
        one, other = first.get(key), second.get(key)
        same = _same_array(one, other, files) if isinstance(one, Array) and isinstance(other, Array) else one == other
        if not same or type(one) is not type(other):
            found.append(KeyDifference(key, _shown(one), _shown(other)))
    return found


def _same_array(first: Array, second: Array, files: tuple[BufferedReader, BufferedReader]) -> bool:
    sizes = (first.item, first.count, first.bytes), (second.item, second.count, second.bytes)
    if sizes[0] != sizes[1]:
        return False
    return _read(files[0], first.offset, first.bytes) == _read(files[1], second.offset, second.bytes)


def _shown(value: Scalar | Array | None) -> Scalar | None:
    return f"{value.count} of {value.item.name.lower()}" if isinstance(value, Array) else value
