"""Bytes of llama.cpp's working buffers, equal to its own dry run (tests/fit/test_dry_run.py)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from edgekit.catalog.variant import Drafter, Shape, Tower
from edgekit.fit.allocator import Graph
from edgekit.fit.drafter_graph import DrafterGraph
from edgekit.fit.graph import TextGraph
from edgekit.fit.graph_inputs import FLOAT, Batch, add_inputs
from edgekit.fit.kv_cache import KvCache
from edgekit.fit.settings import Settings
from edgekit.fit.tower_graph import AudioGraph, VisionGraph

_HALF = 2
_PLAIN = ("F32", "F16", "BF16")


@dataclass(frozen=True)
class Buffers:
    """Bytes of what llama.cpp says that it makes beside the weights, all in main memory."""

    # Keys and values, and the states of recurrent layers.
    cache: int
    compute: int
    output: int


def compute_buffer(shape: Shape, cache: KvCache, settings: Settings) -> int:
    """Return the compute buffer of a processor that runs every layer: inputs, activations and logits."""
    return _reserved(shape, _batch(shape, cache, settings))


def accelerator_buffer(shape: Shape, cache: KvCache, settings: Settings) -> int:
    """Return the compute buffers of all accelerators together, when they run every layer.

    Backends may reorder operations: one activation and the widest queries more live at once in a published Vulkan log
    (186.30 MiB for E4B), which this reproduces. Several accelerators have a buffer each and work on several ubatches at
    a time, with four copies of the masks (ggml-backend.cpp, GGML_SCHED_MAX_COPIES): not measured.
    """
    batch = _batch(shape, cache, settings, on_accelerator=True)
    queries = shape.num_attention_heads * max(shape.head_dim, shape.global_head_dim)
    one = _reserved(shape, batch) + FLOAT * batch.tokens * (shape.hidden_size + queries)
    return one if settings.gpus == 1 else settings.gpus * (one + 3 * _masks(batch))


def host_buffer(shape: Shape, cache: KvCache, settings: Settings) -> int:
    """Return the host's share when every layer runs on accelerators: the inputs and the embeddings it looks up."""
    graph = Graph()
    add_inputs(graph, shape, _batch(shape, cache, settings))
    return graph.peak().bytes


def drafter_buffer(drafter: Drafter, shape: Shape, cache: KvCache, settings: Settings) -> int:
    """Return the compute buffer of a drafter for a model of this shape, with the same settings."""
    return DrafterGraph(drafter, shape, _batch(shape, cache, settings)).peak().bytes


def output_buffer(shape: Shape, rows: int) -> int:
    """Return the bytes of `rows` rows of logits handed to the caller.

    llama.cpp reserves one row for each sequence and grows the buffer when a batch first asks for more.
    """
    return rows * shape.vocab_size * FLOAT


@lru_cache(maxsize=64)
def vision_buffer(tower: Tower, tokens: int, *, flash_attention: bool = True) -> int:
    """Return the working memory for a picture of `tokens` soft tokens, equal to what llama.cpp reserves."""
    return VisionGraph(tower, tokens, flash_attention=flash_attention).peak().bytes


@lru_cache(maxsize=64)
def audio_buffer(tower: Tower, tokens: int) -> int:
    """Return the working memory for a sound of `tokens` soft tokens, 25 to the second."""
    return AudioGraph(tower, tokens).peak().bytes


def _batch(shape: Shape, cache: KvCache, settings: Settings, *, on_accelerator: bool = False) -> Batch:
    tokens = settings.tokens_at_once
    # Keys and values of a quantized cache are rotated in steps of 64 values (llama-kv-cache.cpp).
    rotates = shape.head_width(0) % 64 == 0
    return Batch(
        tokens,
        min(settings.outputs, tokens),
        cache.full_cells,
        cache.sliding_cells,
        settings.flash_attention,
        rotates and settings.cache_type_k not in _PLAIN,
        rotates and settings.cache_type_v not in _PLAIN,
        on_accelerator,
    )


def _reserved(shape: Shape, batch: Batch) -> int:
    if batch.flash_attention:
        bare = _graph_peak(shape, replace(batch, full_cells=0, sliding_cells=0))
        # The masks are placed first and stay until the last layers: a peak before the logits grows by their size, so
        # that one graph serves every context.
        if bare.in_layers:
            return bare.bytes + _masks(batch)
    return _graph_peak(shape, batch).bytes


class _Reserved(NamedTuple):
    bytes: int
    in_layers: bool


@lru_cache(maxsize=256)
def _graph_peak(shape: Shape, batch: Batch) -> _Reserved:
    graph = TextGraph(shape, batch)
    peak = graph.peak()
    return _Reserved(peak.bytes, peak.node < graph.layers_end)


def _masks(batch: Batch) -> int:
    return (_HALF if batch.flash_attention else FLOAT) * batch.tokens * (batch.full_cells + batch.sliding_cells)
