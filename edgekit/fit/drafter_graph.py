"""The compute graph of a drafter, an MTP assistant that reads its model's cache (llama.cpp's gemma4-assistant.cpp)."""

from __future__ import annotations

from edgekit.catalog.variant import Drafter, Shape
from edgekit.fit.allocator import Graph, Tensor
from edgekit.fit.graph_inputs import FLOAT, Batch

_NUMBER = 4
_HALF = 2
_VALUE_ROTATION = 64


class DrafterGraph(Graph):
    """The graph of one ubatch of a drafter for a model of this shape; flash attention is on."""

    def __init__(self, drafter: Drafter, shape: Shape, batch: Batch) -> None:
        super().__init__()
        self._drafter, self._shape, self._batch = drafter, shape, batch
        self._row = FLOAT * batch.tokens
        backbone = self._row * shape.hidden_size
        tokens, states = self.input(_NUMBER * batch.tokens), self.input(backbone)
        self._positions = self.input(_NUMBER * batch.tokens)
        self._sliding = self._pool(shape.head_dim, batch.sliding_cells)
        self._full = self._pool(shape.global_head_dim, batch.full_cells)
        self._output_ids = self.input(_NUMBER * batch.outputs)
        both = self.node(2 * backbone, self.node(backbone, tokens), states)
        stream = self.node(self._row * drafter.hidden_size, both)
        for layer in range(drafter.num_hidden_layers):
            stream = self._layer(layer, stream)
        self.node(FLOAT * batch.outputs * shape.vocab_size, stream, output=True)
        self.node(FLOAT * batch.outputs * shape.hidden_size, stream, output=True)

    def _pool(self, width: int, cells: int) -> tuple[Tensor | None, Tensor | None, Tensor]:
        """Return the rotations of keys and values, where there are any, and the mask."""
        keys = self.input(FLOAT * width * width) if self._batch.rotates_keys else None
        values = self.input(FLOAT * _VALUE_ROTATION**2) if self._batch.rotates_values else None
        return keys, values, self.input(_HALF * self._batch.tokens * cells)

    def _layer(self, layer: int, stream: Tensor) -> Tensor:
        last = layer == self._drafter.num_hidden_layers - 1
        # The last layer sees the whole context, the others the window.
        key_rotation, value_rotation, mask = self._full if last else self._sliding
        head = self._shape.global_head_dim if last else self._shape.head_dim
        width = self._row * self._drafter.num_attention_heads * head
        normed = self.node(stream.size, stream, in_place=True)
        queries = self.node(width, self.node(width, normed), self._positions)
        if key_rotation:
            queries = self.node(width, queries, key_rotation)
        attended = self.node(width, queries, mask)
        if value_rotation:
            attended = self.node(width, attended, value_rotation)
        found = self.node(stream.size, attended)
        tokens = self._batch.tokens
        if last:
            tokens = self._batch.outputs
            size = FLOAT * tokens * self._drafter.hidden_size
            found, stream = self.node(size, found, self._output_ids), self.node(size, stream, self._output_ids)
        found = self.node(found.size, found, stream, in_place=True)
        inner = FLOAT * tokens * self._drafter.intermediate_size
        normed = self.node(found.size, found, in_place=True)
        gate, up = self.node(inner, normed), self.node(inner, normed)
        return self.node(found.size, self.node(found.size, self.node(inner, gate, up)), found, in_place=True)
