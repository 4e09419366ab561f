"""The tokens that a decoder works on: as rows of a matrix, and as they stand in batches."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.convert.onnx.graph import Graph


@dataclass(frozen=True)
class Tokens:
    """How many tokens there are: `shape` names a vector of batch and sequence length."""

    graph: Graph
    shape: str

    @classmethod
    def all(cls, graph: Graph, embeddings: str) -> Tokens:
        """Return those of embeddings of shape (batch, sequence, width)."""
        return cls(graph, graph.op("Shape", [embeddings], start=0, end=2))

    def in_batches(self, value: str, *dimensions: int) -> str:
        """Return rows as (batch, sequence, ...)."""
        wanted = self.graph.op("Concat", [self.shape, self.graph.int64(list(dimensions))], axis=0)
        return self.graph.op("Reshape", [value, wanted])

    def last(self, kept: str) -> Tokens:
        """Return the last ones of each batch; `kept` names how many, and 0 is all."""
        graph = self.graph
        batch, length = (graph.op("Slice", [self.shape, graph.int64([at]), graph.int64([at + 1])]) for at in (0, 1))
        wanted = graph.op("Unsqueeze", [kept, graph.int64([0])])
        is_all = graph.op("Equal", [wanted, graph.int64([0])])
        count = graph.op("Min", [length, graph.op("Where", [is_all, length, wanted])])
        return Tokens(graph, graph.op("Concat", [batch, count], axis=0))

    def cut(self, value: str, width: int, last: Tokens) -> str:
        """Return the rows of the last tokens of a value of shape (tokens, width)."""
        graph = self.graph
        found = last.slice(self.in_batches(value, width))
        return graph.op("Reshape", [found, graph.int64([-1, width])])

    def slice(self, value: str) -> str:
        """Return the part of a value of shape (batch, longer sequence, ...) that belongs to these tokens."""
        graph = self.graph
        count = graph.op("Slice", [self.shape, graph.int64([1]), graph.int64([2])])
        end = graph.int64([(1 << 63) - 1])
        return graph.op("Slice", [value, graph.op("Neg", [count]), end, graph.int64([1])])
