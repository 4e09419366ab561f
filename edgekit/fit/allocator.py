"""How much memory ggml's graph allocator needs: its decisions, made on sizes alone (ggml/src/ggml-alloc.c)."""

from __future__ import annotations

from typing import NamedTuple

_ALIGNMENT = 32
_ENDLESS = 1 << 60


class Tensor:
    """A node of a compute graph: its size, what it is computed from, and how many nodes still need it."""

    __slots__ = ("allocated", "in_place", "needed_by", "offset", "output", "size", "sources")

    def __init__(self, size: int, sources: tuple[Tensor, ...], *, in_place: bool = False, output: bool = False) -> None:
        self.size = -(-size // _ALIGNMENT) * _ALIGNMENT
        self.sources = sources
        self.in_place, self.output = in_place, output
        self.needed_by = self.offset = 0
        self.allocated = False


class Peak(NamedTuple):
    """The size of a graph's buffer and the number of the node that made it so large."""

    bytes: int
    node: int


class Graph:
    """A compute graph in the order of its execution; weights and caches lie elsewhere and do not appear."""

    def __init__(self) -> None:
        self._inputs: list[Tensor] = []
        self._nodes: list[Tensor] = []

    def __len__(self) -> int:
        return len(self._nodes)

    def input(self, size: int) -> Tensor:
        """Add a tensor that is filled from outside before the graph runs."""
        self._inputs.append(Tensor(size, ()))
        return self._inputs[-1]

    def node(self, size: int, *sources: Tensor, in_place: bool = False, output: bool = False) -> Tensor:
        """Add an operation; `in_place` lets its result have the place of a source, an `output` is never freed."""
        self._nodes.append(Tensor(size, sources, in_place=in_place, output=output))
        for source in sources:
            source.needed_by += 1
        return self._nodes[-1]

    def peak(self) -> Peak:
        """Return what llama.cpp reserves for the graph; to be asked once."""
        blocks = _Blocks()
        for tensor in self._inputs:
            blocks.place(tensor)
        highest = Peak(blocks.peak, 0)
        for number, node in enumerate(self._nodes):
            if node.size and not (node.in_place and _took_over(node)):
                blocks.place(node)
                if blocks.peak > highest.bytes:
                    highest = Peak(blocks.peak, number)
            for source in node.sources:
                source.needed_by -= 1
                if source.allocated and not source.needed_by and not source.output:
                    blocks.free(source)
        return highest


class _Blocks:
    """The free blocks of one buffer as (offset, size), ascending; the last one is endless."""

    def __init__(self) -> None:
        self._free = [(0, _ENDLESS)]
        self.peak = 0

    def place(self, tensor: Tensor) -> None:
        """Give a tensor the smallest free block that holds it, the last one only if no other does."""
        best, smallest = len(self._free) - 1, _ENDLESS
        for index, (_, size) in enumerate(self._free[:-1]):
            if tensor.size <= size <= smallest:
                best, smallest = index, size
        offset, size = self._free[best]
        if size == tensor.size:
            del self._free[best]
        else:
            self._free[best] = (offset + tensor.size, size - tensor.size)
        tensor.offset, tensor.allocated = offset, True
        self.peak = max(self.peak, offset + tensor.size)

    def free(self, tensor: Tensor) -> None:
        """Take a tensor's place back and join it with its free neighbours."""
        start, end = tensor.offset, tensor.offset + tensor.size
        index = next(at for at, (offset, _) in enumerate(self._free) if offset >= end)
        if self._free[index][0] == end:
            end += self._free.pop(index)[1]
        if index and sum(self._free[index - 1]) == start:
            index -= 1
            start = self._free.pop(index)[0]
        self._free.insert(index, (start, end - start))
        tensor.allocated = False


def _took_over(node: Tensor) -> bool:
    """Let a node have the place of a source of its own size that nothing else needs."""
    for source in node.sources:
        if source.allocated and source.needed_by == 1 and not source.output and source.size == node.size:
            node.offset, node.allocated, source.allocated = source.offset, True, False
            return True
    return False
