"""One safetensors file: its header checked against its size, its tensors read by rows."""

from __future__ import annotations

import math
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from edgekit.convert.json_text import parse
from edgekit.errors import FileError, UnsupportedError

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

# The dtypes that a weight may have here; safetensors knows more.
_DTYPES: dict[str, npt.DTypeLike] = {"F32": np.float32, "F16": np.float16, "BF16": ml_dtypes.bfloat16}
# The format's own limit, kept by the safetensors library.
_LONGEST_HEADER = 100_000_000


@dataclass(frozen=True)
class Entry:
    """A tensor as the header lists it; `begin` counts from the start of the file."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    bytes: int


class SafetensorsFile:
    """A safetensors file, opened once and read by position, so that threads may share it.

    Raises FileError where the file is missing, cut short or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = os.open(path, os.O_RDONLY)
        except FileNotFoundError as problem:
            raise FileError(f"{path} is missing: download the whole checkpoint again") from problem
        except OSError as problem:
            raise FileError(f"{path} cannot be read: {problem.strerror}") from problem
        try:
            self._state = self._read_state()
            self.bytes = self._state[0]
            self.entries = self._read_header(self.bytes)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def __enter__(self) -> SafetensorsFile:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.close()

    def rows(self, name: str, start: int, stop: int) -> Floats:
        """Return rows of a tensor as float32; a row is one step of the first dimension, a scalar is one row."""
        entry = self.entries[name]
        dtype = np.dtype(self.dtype(name))
        height = entry.shape[0] if entry.shape else 1
        width = math.prod(entry.shape[1:])
        if not 0 <= start <= stop <= height:
            raise IndexError(f"rows {start} to {stop} of {height}")
        data = self.read(entry.begin + start * width * dtype.itemsize, (stop - start) * width * dtype.itemsize)
        return np.frombuffer(data, dtype).astype(np.float32).reshape(stop - start, *entry.shape[1:])

    def dtype(self, name: str) -> npt.DTypeLike:
        """Return a tensor's numpy dtype; raises UnsupportedError where it is no 16-bit or 32-bit float."""
        entry = self.entries[name]
        if entry.dtype not in _DTYPES:
            raise UnsupportedError(
                f"{self.path.name}: {name} is {entry.dtype}; edgekit converts F32, F16 and BF16 weights: "
                "start from the checkpoint before it was quantized"
            )
        return _DTYPES[entry.dtype]

    def read(self, offset: int, count: int) -> bytes:
        """Return bytes as they stand in the file."""
        parts = []
        while count:
            # One read returns at most 2 GiB on Linux.
            part = os.pread(self._file, count, offset)
            if not part:
                raise FileError(f"{self.path} became shorter while it was read: convert it again when it is at rest")
            parts.append(part)
            offset, count = offset + len(part), count - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def check_unchanged(self) -> None:
        """Raise FileError where another program has written to the file since it was opened."""
        if self._read_state() != self._state:
            raise FileError(f"{self.path} changed while it was read: convert it again when it is at rest")

    def _read_state(self) -> tuple[int, int]:
        found = os.fstat(self._file)
        return found.st_size, found.st_mtime_ns

    def _read_header(self, size: int) -> dict[str, Entry]:
        length = int.from_bytes(os.pread(self._file, 8, 0), "little") if size >= 8 else 0
        if length > min(size - 8, _LONGEST_HEADER) or length < 2:
            raise self._damaged(f"it has {size} bytes and its header would have {length}")
        try:
            header = parse(self.read(8, length))
            listed = {name: _entry(value, 8 + length) for name, value in header.items() if name != "__metadata__"}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
            raise self._damaged("its header is no safetensors header") from problem
        self._check(listed, 8 + length, size)
        return listed

    def _check(self, listed: dict[str, Entry], start: int, size: int) -> None:
        """Raise FileError where the tensors do not fill the file one after the other, as the safetensors library."""
        for name, entry in sorted(listed.items(), key=lambda item: (item[1].begin, item[1].bytes)):
            if entry.begin + entry.bytes > size:
                raise self._damaged(f"{name} ends at byte {entry.begin + entry.bytes} of {size}")
            # Tensors that share bytes would let a small file ask for any amount of work.
            if entry.begin != start:
                raise self._damaged(f"{name} begins at byte {entry.begin} and not at {start}")
            width = np.dtype(_DTYPES[entry.dtype]).itemsize if entry.dtype in _DTYPES else None
            if width and entry.bytes != math.prod(entry.shape) * width:
                raise self._damaged(f"{name} has {entry.bytes} bytes for shape {list(entry.shape)}")
            start += entry.bytes
        if start != size:
            raise self._damaged(f"its tensors end at byte {start} of {size}")

    def _damaged(self, what: str) -> FileError:
        return FileError(f"{self.path} is cut short or damaged: {what}; download it again")


def _entry(value: dict[str, Any], data_start: int) -> Entry:
    begin, end = map(_length, value["data_offsets"])
    shape = tuple(map(_length, value["shape"]))
    if begin > end or not isinstance(value["dtype"], str):
        raise ValueError
    return Entry(value["dtype"], shape, data_start + begin, end - begin)


def _length(value: object) -> int:
    # No array has more values, whatever the file says of one that holds none.
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= sys.maxsize:
        raise ValueError
    return value
