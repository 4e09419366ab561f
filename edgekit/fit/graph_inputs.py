"""What goes into Gemma 4's compute graph: tokens, positions, masks (llama.cpp's src/llama-graph.cpp)."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.catalog.variant import Shape
from edgekit.fit.allocator import Graph, Tensor

FLOAT = 4
_HALF = 2
_NUMBER = 4
_PLACE = 8
# Values are rotated 64 at a time, keys by the whole width of a head (llama-kv-cache.cpp, build_input_v_rot).
_VALUE_ROTATION = 64


@dataclass(frozen=True)
class Batch:
    """What a graph is reserved for: tokens computed at once, rows of logits, and the cells of both pools."""

    tokens: int
    outputs: int
    full_cells: int
    sliding_cells: int
    flash_attention: bool = True
    # Quantized caches hold rotated keys and values.
    rotates_keys: bool = False
    rotates_values: bool = False
    # The graph of an accelerator, which gets copies of what the host looked up and filled in.
    on_accelerator: bool = False


@dataclass(frozen=True)
class Pool:
    """The inputs that the layers of one kind share."""

    cells: int
    key_rotation: Tensor | None
    value_rotation: Tensor | None
    key_places: Tensor
    value_places: Tensor
    mask: Tensor


@dataclass(frozen=True)
class Inputs:
    """Everything that is in the graph before its first layer."""

    embedded: Tensor
    # Rows of the per-layer embeddings.
    table: Tensor | None
    positions: Tensor
    sliding: Pool
    full: Pool
    output_ids: Tensor


def hidden_bytes(shape: Shape, batch: Batch) -> int:
    """Return the bytes of one activation of the whole batch."""
    return FLOAT * batch.tokens * shape.hidden_size


def table_bytes(shape: Shape, batch: Batch) -> int:
    """Return the bytes of the batch's per-layer embeddings; 0 where a variant has none."""
    return FLOAT * batch.tokens * shape.hidden_size_per_layer_input * shape.num_hidden_layers


def add_inputs(graph: Graph, shape: Shape, batch: Batch) -> Inputs:
    """Add the inputs in the order of their first use: ggml places them so."""
    hidden, table = hidden_bytes(shape, batch), table_bytes(shape, batch)
    if batch.on_accelerator:
        embedded, rows = graph.input(hidden), graph.input(table) if table else None
    else:
        tokens = graph.input(_NUMBER * batch.tokens)
        # The embeddings of pictures and sound come in here; the place is reserved for text too.
        graph.input(hidden)
        table_ids = graph.input(_NUMBER * batch.tokens) if table else None
    sliding_rotation = _key_rotation(graph, shape.head_dim, batch)
    positions = graph.input(_NUMBER * batch.tokens)
    sliding = _pool(graph, shape, batch, batch.sliding_cells, sliding_rotation)
    full = _pool(graph, shape, batch, batch.full_cells, _key_rotation(graph, shape.global_head_dim, batch))
    output_ids = graph.input(_NUMBER * batch.outputs)
    if not batch.on_accelerator:
        embedded = graph.node(hidden, tokens)
        rows = graph.node(table, table_ids) if table_ids else None
    return Inputs(embedded, rows, positions, sliding, full, output_ids)


def _key_rotation(graph: Graph, width: int, batch: Batch) -> Tensor | None:
    return graph.input(FLOAT * width * width) if batch.rotates_keys else None


def _pool(graph: Graph, shape: Shape, batch: Batch, cells: int, key_rotation: Tensor | None) -> Pool:
    flash = batch.flash_attention
    value_rotation = graph.input(FLOAT * _VALUE_ROTATION**2) if batch.rotates_values else None
    # Without flash attention V is stored transposed: every value of a token has a place of its own.
    values = 1 if flash else max(shape.full_cache_width, shape.sliding_cache_width)
    key_places, value_places = graph.input(_PLACE * batch.tokens), graph.input(_PLACE * batch.tokens * values)
    mask = graph.input((_HALF if flash else FLOAT) * batch.tokens * cells)
    return Pool(cells, key_rotation, value_rotation, key_places, value_places, mask)
