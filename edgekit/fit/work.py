"""What computing one token takes: the bytes that are really read and the operations that are really done."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from edgekit.catalog.quantization import BLOCKS
from edgekit.catalog.variant import Shape
from edgekit.catalog.weights import weights
from edgekit.fit.estimate import Load
from edgekit.fit.kv_cache import kv_cache
from edgekit.fit.settings import Settings

# Steps of llama.cpp's graph, each of which all threads finish together (src/models/gemma4.cpp): of a layer, and more
# for its own keys and values, for per-layer embeddings and for experts.
_STEPS, _STEPS_OF_CACHE, _STEPS_OF_TABLE, _STEPS_OF_EXPERTS = 16, 7, 6, 25


@dataclass(frozen=True)
class Work:
    """One token after a number of others, all layers on one device."""

    # Bytes of weights by type: in the layers, and with the tied output matrix and what else is not in them.
    layers: dict[str, int]
    weights: dict[str, int]
    # Bytes of keys and values, and multiply-adds on them.
    cache: float
    attention: float
    # Values that go through an activation: in the layers, and the logits that are capped.
    activations: int
    logits: int
    steps: int

    @property
    def bytes(self) -> float:
        """Return everything that is read."""
        return sum(self.weights.values()) + self.cache


def work(load: Load, settings: Settings, depth: float) -> Work:
    """Return what one token after `depth` others takes; of the per-layer table it reads a row, which counts nothing."""
    shape, parts = load.variant.shape, weights(load.variant.shape, load.file)
    every = Counter(parts.read_by_type)
    # What is not in a layer beside the tables is the projection of the embeddings, which llama-quantize leaves alone.
    every.update({parts.output_type: parts.token_embeddings})
    every.update({"BF16": parts.other})
    return Work(
        parts.read_by_type,
        dict(every),
        sum(cache_read(shape, settings, depth)),
        sum(_attention(shape, layer, depth) for layer in _all(shape)),
        sum(_activations(shape, layer) for layer in _all(shape)),
        shape.vocab_size,
        sum(_steps(shape, layer) for layer in _all(shape)),
    )


def cache_read(shape: Shape, settings: Settings, depth: float) -> list[float]:
    """Return the bytes of keys and values that each layer reads; one that shares another's cache reads it again."""
    cache = kv_cache(shape, settings)
    # The last layer of either kind that has a cache of its own serves those that share.
    owners: dict[bool, int] = {}
    read = []
    for layer in _all(shape):
        sliding = shape.is_sliding(layer)
        if shape.owns_cache(layer):
            owners[sliding] = layer
        cells = cache.sliding_cells if sliding else cache.full_cells
        read.append(cache.layers[owners[sliding]] * min(_seen(shape, layer, depth), cells) / cells)
    return read


def parameters(sizes: dict[str, int]) -> dict[str, float]:
    """Return how many weights bytes of each type hold."""
    return {kind: size * BLOCKS[kind][0] / BLOCKS[kind][1] for kind, size in sizes.items()}


def _attention(shape: Shape, layer: int, depth: float) -> float:
    # Scores with every key, then a sum of every value.
    return 2 * shape.num_attention_heads * shape.head_width(layer) * _seen(shape, layer, depth)


def _activations(shape: Shape, layer: int) -> int:
    experts = shape.top_k_experts * shape.moe_intermediate_size
    return shape.feed_forward_width(layer) + shape.hidden_size_per_layer_input + experts


def _seen(shape: Shape, layer: int, depth: float) -> float:
    return min(depth, shape.sliding_window) if shape.is_sliding(layer) else depth


def _steps(shape: Shape, layer: int) -> int:
    return (
        _STEPS
        + (_STEPS_OF_CACHE if shape.owns_cache(layer) else 0)
        + (_STEPS_OF_TABLE if shape.hidden_size_per_layer_input else 0)
        + (_STEPS_OF_EXPERTS if shape.num_experts else 0)
    )


def _all(shape: Shape) -> range:
    return range(shape.num_hidden_layers)
