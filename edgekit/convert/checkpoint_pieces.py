"""A shard of a checkpoint in pieces: bytes that are copied, and rows that adapters change."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from edgekit.convert.checkpoint import Weight
from edgekit.convert.merging import Merging
from edgekit.convert.rounding import rounded
from edgekit.convert.safetensors import SafetensorsFile
from edgekit.convert.shard import Shard
from edgekit.convert.tasks import Pieces, Task
from edgekit.errors import FileError

# Bytes that are copied in one piece, and values that are merged in one.
_PIECE = 1 << 20
_BLOCK = 1 << 18
# Bytes for each value that is merged: read, as float32, what the adapters make in double precision, rounded.
_MERGED = 80


@dataclass(frozen=True)
class Header(Task):
    """The beginning of a shard that holds what it did not hold before; nothing is read for it."""

    name: str
    data: bytes
    kind: ClassVar[Hashable] = "header"

    @property
    def bytes(self) -> int:
        """See Task."""
        return 0

    @property
    def memory(self) -> int:
        """See Task."""
        return len(self.data)

    @property
    def made(self) -> int:
        """See Task."""
        return len(self.data)

    def make(self) -> Pieces:
        """See Task."""
        return Pieces([self.data])


@dataclass(frozen=True)
class Copy(Task):
    """Bytes `begin` to `end` of a shard, as they are; `name` is the weight in them or behind them."""

    file: SafetensorsFile
    begin: int
    end: int
    name: str
    kind: ClassVar[Hashable] = "copy"

    @property
    def bytes(self) -> int:
        """See Task."""
        return self.end - self.begin

    @property
    def memory(self) -> int:
        """See Task."""
        return self.bytes

    @property
    def made(self) -> int:
        """See Task."""
        return self.bytes

    def make(self) -> Pieces:
        """See Task."""
        return Pieces([self.file.read(self.begin, self.bytes)])


@dataclass(frozen=True)
class Merge(Task):
    """Rows of a weight that adapters change."""

    weight: Weight
    start: int
    stop: int
    merging: Merging

    @property
    def name(self) -> str:
        """What is worked on."""
        return self.weight.name

    @property
    def bytes(self) -> int:
        """See Task."""
        return self.weight.bytes_written // max(1, self.weight.height) * (self.stop - self.start)

    @property
    def memory(self) -> int:
        """See Task."""
        return _MERGED * self.weight.width * (self.stop - self.start)

    @property
    def made(self) -> int:
        """See Task."""
        return self.bytes

    @property
    def kind(self) -> Hashable:
        """See Task."""
        return self.weight.dtype

    def make(self) -> Pieces:
        """See Task."""
        merged = self.merging.exact(self.weight.name, self.weight.rows(self.start, self.stop), self.start)
        made = rounded(merged, self.weight.dtype)
        if not np.isfinite(made).all():
            raise FileError(
                f"{self.weight.name} becomes NaN or infinity in {self.weight.dtype}: the adapter's training diverged"
            )
        return Pieces([made.tobytes()])


Piece = Header | Copy | Merge


def pieces(shard: Shard, merging: Merging) -> Iterator[Piece]:
    """Cut a shard into pieces, in the order of its bytes."""
    file, position, name = shard.file, 0, ""
    if not shard.keeps_header:
        yield Header(file.path.name, shard.header)
        position = shard.data_start
    for weight in shard.own:
        name = weight.name
        end = weight.begin + weight.bytes
        # What lies between two weights is copied with the second.
        yield from _copies(file, position, weight.begin if merging.touches(name) else end, name)
        yield from _merges(weight, merging)
        position = end
    yield from _copies(file, position, file.bytes, name)
    for weight in shard.added:
        if not merging.touches(weight.name):
            yield from _copies(file, weight.begin, weight.begin + weight.bytes, weight.name)
        yield from _merges(weight, merging)


def _merges(weight: Weight, merging: Merging) -> Iterator[Merge]:
    if merging.touches(weight.name):
        step = max(1, _BLOCK // max(1, weight.width))
        yield from (Merge(weight, *ends, merging) for ends in _steps(0, weight.height, step))


def _copies(file: SafetensorsFile, begin: int, end: int, name: str) -> Iterator[Copy]:
    return (Copy(file, *ends, name) for ends in _steps(begin, end, _PIECE))


def _steps(start: int, stop: int, step: int) -> Iterator[tuple[int, int]]:
    for begin in range(start, stop, step):
        yield begin, min(begin + step, stop)
