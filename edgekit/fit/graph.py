"""Gemma 4's compute graph by the sizes of its tensors, in llama.cpp's order (src/models/gemma4.cpp, llama-graph.cpp).

Operations that rewrite their input in place, and views, are left out: they take no memory. A view's place is never
given to a result, so a norm over reshaped heads needs a second tensor.
"""

from __future__ import annotations

from edgekit.catalog.variant import Shape
from edgekit.fit.allocator import Graph, Tensor
from edgekit.fit.graph_inputs import FLOAT, Batch, Pool, add_inputs, hidden_bytes, table_bytes


class TextGraph(Graph):
    """The graph of one ubatch of a text model."""

    def __init__(self, shape: Shape, batch: Batch) -> None:
        super().__init__()
        self._shape, self._batch = shape, batch
        self._row = FLOAT * batch.tokens
        self._inputs_of_layers = inputs = add_inputs(self, shape, batch)
        table = self._table(inputs.table) if inputs.table else None
        self._per_layer: Tensor | None = None
        stream = inputs.embedded
        for layer in range(shape.num_hidden_layers):
            stream = self._feed_forward(layer, self._attention(layer, stream))
            if table is not None:
                stream = self._add_per_layer(stream, inputs.embedded, table)
        # Nodes before the output matrix.
        self.layers_end = len(self)
        self._predict(stream, inputs.output_ids)

    def _hidden(self, *sources: Tensor, in_place: bool = False) -> Tensor:
        return self.node(hidden_bytes(self._shape, self._batch), *sources, in_place=in_place)

    def _table(self, *sources: Tensor, in_place: bool = False) -> Tensor:
        return self.node(table_bytes(self._shape, self._batch), *sources, in_place=in_place)

    def _attention(self, layer: int, stream: Tensor) -> Tensor:
        shape, inputs = self._shape, self._inputs_of_layers
        pool = inputs.sliding if shape.is_sliding(layer) else inputs.full
        width = self._row * shape.num_attention_heads * shape.head_width(layer)
        normed = self._hidden(stream, in_place=True)
        queries = self.node(width, self.node(width, normed), inputs.positions)
        queries = self._rotated(queries, pool.key_rotation)
        if shape.owns_cache(layer):
            self._store(layer, normed, pool)
        attended = self._rotated(self._attend(width, queries, pool), pool.value_rotation)
        return self._hidden(self._hidden(attended), stream, in_place=True)

    def _rotated(self, tensor: Tensor, rotation: Tensor | None) -> Tensor:
        return tensor if rotation is None else self.node(tensor.size, tensor, rotation)

    def _store(self, layer: int, normed: Tensor, pool: Pool) -> None:
        shape = self._shape
        width = self._row * shape.cache_width(layer)
        raw = self.node(width, normed)
        keys = self._rotated(self.node(width, raw, self._inputs_of_layers.positions), pool.key_rotation)
        # Global layers of the larger variants use the keys as values.
        if shape.is_sliding(layer) or not shape.attention_k_eq_v:
            raw = self.node(width, normed)
        values = self._rotated(self.node(width, raw), pool.value_rotation)
        self.node(0, keys, pool.key_places)
        widest = self._row * max(shape.full_cache_width, shape.sliding_cache_width)
        if not self._batch.flash_attention and width < widest:
            values = self.node(widest, values)
        self.node(0, values, pool.value_places)

    def _attend(self, width: int, queries: Tensor, pool: Pool) -> Tensor:
        if self._batch.flash_attention:
            return self.node(width, queries, pool.mask)
        scores = self.node(self._row * self._shape.num_attention_heads * pool.cells, queries, pool.mask)
        return self.node(width, self.node(width, scores))

    def _feed_forward(self, layer: int, stream: Tensor) -> Tensor:
        experts = self._experts(stream) if self._shape.num_experts else None
        width = self._row * self._shape.feed_forward_width(layer)
        normed = self._hidden(stream, in_place=True)
        gate, up = self.node(width, normed), self.node(width, normed)
        down = self._hidden(self.node(width, gate, up))
        if experts is not None:
            down = self._hidden(down, experts, in_place=True)
        return self._hidden(down, stream, in_place=True)

    def _experts(self, stream: Tensor) -> Tensor:
        shape, row = self._shape, self._row
        every, used = row * shape.num_experts, row * shape.top_k_experts
        scores = self.node(every, self._hidden(stream, in_place=True))
        order = self.node(every, scores)
        chosen = self.node(used, scores, order)
        shares = self.node(used, chosen, self.node(row, chosen))
        normed = self._hidden(stream, in_place=True)
        gate_and_up = self.node(2 * used * shape.moe_intermediate_size, normed, order)
        activated = self.node(used * shape.moe_intermediate_size, gate_and_up)
        down = self.node(used * shape.hidden_size, activated, order)
        scales = self.node(used, self.node(every), order)
        return self._hidden(self.node(down.size, down, scales, shares, in_place=True))

    def _add_per_layer(self, stream: Tensor, embedded: Tensor, table: Tensor) -> Tensor:
        width = self._row * self._shape.hidden_size_per_layer_input
        gate = self.node(width, stream)
        # llama.cpp projects all layers' inputs at once, when the first layer asks for its own.
        if self._per_layer is None:
            projected = self._table(self._table(embedded))
            self._per_layer = self._table(self._table(projected, table, in_place=True))
        added = self._hidden(self.node(width, gate, self._per_layer, in_place=True))
        return self._hidden(stream, added, in_place=True)

    def _predict(self, stream: Tensor, output_ids: Tensor) -> None:
        hidden = hidden_bytes(self._shape, self._batch)
        last = self.node(hidden, stream, in_place=True, output=True)
        chosen = self.node(FLOAT * self._batch.outputs * self._shape.hidden_size, last, output_ids, output=True)
        self.node(FLOAT * self._batch.outputs * self._shape.vocab_size, chosen, output=True)
