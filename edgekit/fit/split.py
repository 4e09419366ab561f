"""Which accelerator holds what when llama.cpp splits a model's layers over several."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from edgekit.catalog.weights import weights
from edgekit.fit.estimate import Estimate, Load
from edgekit.fit.kv_cache import kv_cache
from edgekit.fit.settings import Settings


def split(load: Load, settings: Settings, memory: Estimate, free: Sequence[int]) -> tuple[int, ...]:
    """Return the bytes on each accelerator, given the free bytes of each (llama-model.cpp, load_tensors)."""
    if len(free) < 2:
        return (memory.gpu,) * len(free)
    shape = load.variant.shape
    parts, cache = weights(shape, load.file), kv_cache(shape, settings)
    held = [0] * len(free)
    for layer, device in _devices(shape.num_hidden_layers, settings.gpu_layers, free):
        is_output = layer == shape.num_hidden_layers
        held[device] += parts.token_embeddings if is_output else parts.layers[layer] + cache.layers[layer]
    buffers = _bytes(memory, "compute")
    held = [size + buffers // len(free) for size in held]
    # The projector and the rounding.
    held[0] += memory.gpu - sum(held)
    return tuple(held)


def _devices(layers: int, gpu_layers: int, free: Sequence[int]) -> list[tuple[int, int]]:
    """Return (layer, device) for the layers on accelerators; the output matrix counts as one more layer."""
    bounds = [part / sum(free) for part in accumulate(free)]
    first = max(layers + 1 - gpu_layers, 0)
    active = min(gpu_layers, layers + 1)
    return [(layer, bisect_right(bounds, (layer - first) / active)) for layer in range(first, layers + 1)]


def _bytes(memory: Estimate, what: str) -> int:
    return sum(line.bytes for line in memory.lines if line.what == what and line.where == "gpu")
