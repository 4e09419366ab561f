"""The one pass: rows are read, merged, quantized on all cores and written, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf.quants import dequantize

from edgekit.convert.gguf_file import row_bytes
from edgekit.convert.merging import Merging
from edgekit.convert.plan import TensorPlan
from edgekit.convert.progress import Progress
from edgekit.convert.quantize import quantize
from edgekit.convert.safetensors import Floats
from edgekit.convert.shards import ShardWriter
from edgekit.convert.target import Group, Target
from edgekit.convert.tasks import Pieces, Task, in_order
from edgekit.errors import FileError

# Values in a block of rows: 1 MiB as float32, a few times that while it is worked on, for each thread. Larger ones are
# slower: the kernel clears their pages anew each time. The same on every machine, so that a merge rounds alike.
_BLOCK = 1 << 18
# Bytes for each value at work: as float32, and once more where it is transformed or looked through.
_PLAIN = 9
# A merge adds, in double precision, what one adapter makes, the sum, a difference and a product.
_MERGED = 32
# The first number that F16 rounds to infinity: half a step above its largest, 65504.
F16_INFINITE = 65520.0
# Types without scales in F16: what they cannot hold is checked elsewhere, or does not exist.
_SCALELESS = (Type.F32, Type.BF16, Type.F16, Type.MXFP4)
# From here on, the scale of every other type is infinite: Q6_K's reach farthest, to 65504 * 128 * 32.
_LARGEST_SCALED = 3e8
_TOO_LARGE = "{name} has values, or an importance, too large for {type}: choose BF16, or a smaller weight of an adapter"


@dataclass(frozen=True)
class Block(Task):
    """Rows of one tensor of a group, for all files of the group."""

    group: Group
    merging: Merging
    index: int
    start: int
    stop: int

    @cached_property
    def plan(self) -> TensorPlan:
        """The tensor."""
        return self.group.plans[self.index]

    @cached_property
    def types(self) -> tuple[Type, ...]:
        """What it becomes in each file."""
        return tuple(target.tensors[self.index].type for target in self.group.targets)

    @cached_property
    def bytes(self) -> int:
        """See Task."""
        return sum(weight.bytes for weight in self.plan.weights) * (self.stop - self.start) // self.plan.height

    @cached_property
    def memory(self) -> int:
        """See Task."""
        return self.bytes + self._values * (_PLAIN + (_MERGED if self._is_merged else 0)) + self.made

    @cached_property
    def made(self) -> int:
        """See Task."""
        width = self.plan.shape[-1]
        return sum(row_bytes(type, width) for type in self.types) * (self._values // width)

    @cached_property
    def kind(self) -> Hashable:
        """See Task."""
        weighted = tuple(self.plan.name in target.importance for target in self.group.targets)
        return self.types, weighted, self._is_merged, tuple({weight.dtype for weight in self.plan.weights})

    def make(self) -> Pieces:
        """Read, merge and quantize."""
        rows = self.plan.rows(self.start, self.stop, self.merging.apply)
        check_values(self.plan, rows, self.merging)
        # Without a copy of the block, as abs() would make.
        largest = 0.0 if self.plan.unbounded else float(max(rows.max(initial=0), -rows.min(initial=0)))
        made = []
        for type, target in zip(self.types, self.group.targets, strict=True):
            importance = self._importance(target)
            check_range(self.plan.name, type, largest, importance)
            made.append(quantize(type, rows, importance))
            if largest >= F16_INFINITE:
                check_scales(self.plan.name, type, made[-1], rows.shape[-1])
        return Pieces(made, largest >= F16_INFINITE and Type.F16 in self.types)

    @cached_property
    def _values(self) -> int:
        return math.prod(self.plan.shape[1:]) * (self.stop - self.start)

    @cached_property
    def _is_merged(self) -> bool:
        return any(self.merging.touches(weight.name) for weight in self.plan.weights)

    def _importance(self, target: Target) -> Floats | None:
        found = target.importance.get(self.plan.name)
        # A matrix has one row for all rows of a tensor; experts, whose rows are matrices, have one each.
        return found if found is None or found.ndim == 1 else found[self.start : self.stop]


def blocks(groups: Sequence[Group], merging: Merging) -> Iterator[Block]:
    """Cut the tensors of groups into blocks of whole rows."""
    for group in groups:
        for index, plan in enumerate(group.plans):
            step = plan.height if plan.whole else max(1, _BLOCK // max(1, math.prod(plan.shape[1:])))
            for start in range(0, plan.height, step):
                yield Block(group, merging, index, start, min(start + step, plan.height))


def stream(found: Sequence[Block], writers: Mapping[Path, ShardWriter], room: int, progress: Progress) -> list[str]:
    """Write all blocks with the writers of their files; `progress` counts the bytes read.

    Returns the names of tensors with values too large for F16 that were written so.
    """
    total = sum(block.bytes for block in found)
    done = 0
    too_large: dict[str, None] = {}
    for block, pieces in zip(found, in_order(found, room), strict=True):
        for target, piece in zip(block.group.targets, pieces.data, strict=True):
            writers[target.path].write(block.plan.name, piece)
        if pieces.too_large:
            too_large[block.plan.name] = None
        done += block.bytes
        progress(done, total, block.plan.name)
    return list(too_large)


def check_range(name: str, type: Type, largest: float, importance: Floats | None) -> None:
    """Raise FileError where values overflow in ggml's search for scales, which then aborts (IQ types)."""
    if type in _SCALELESS:
        return
    weight = 0.0 if importance is None else float(importance.max(initial=0))
    # A row of a block at most, weighed by importance and size.
    if largest >= _LARGEST_SCALED or largest**3 * weight * 256 >= float(np.finfo(np.float32).max):
        raise FileError(_TOO_LARGE.format(name=name, type=type.name))


def check_scales(name: str, type: Type, made: memoryview, width: int) -> None:
    """Raise FileError where the scale of a quantized block became infinite, as llama-quantize does."""
    if type in _SCALELESS:
        return
    # Slow, and asked only of values that no trained model has.
    with np.errstate(over="ignore", invalid="ignore"):
        read = dequantize(np.frombuffer(made, np.uint8).reshape(-1, row_bytes(type, width)), type)
    if not np.isfinite(read).all():
        raise FileError(_TOO_LARGE.format(name=name, type=type.name))


def check_values(plan: TensorPlan, rows: Floats, merging: Merging) -> None:
    """Raise FileError where rows hold NaN or infinity; a clipped layer's bound may be infinite."""
    if np.isfinite(rows).all() or (plan.unbounded and not np.isnan(rows).any()):
        return
    name = plan.weight.name if plan.weight else plan.name
    # What an adapter itself holds was checked when it was read.
    merged = any(merging.touches(weight.name) for weight in plan.weights)
    what = "an adapter's alpha or weight is too large" if merged else "its training diverged"
    raise FileError(f"{name} holds NaN or infinity: the checkpoint is damaged, or {what}")
