"""Bytes of llama.cpp's KV cache for Gemma 4, exact (llama-kv-cache-iswa.cpp, llama-context.cpp)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from edgekit.catalog.quantization import row_bytes
from edgekit.catalog.variant import Shape
from edgekit.fit.settings import Settings

_PAD = 256


@dataclass(frozen=True)
class KvCache:
    """Cells and bytes of the two pools; bytes by layer, zero where a layer shares another's."""

    full_cells: int
    sliding_cells: int
    full: int
    sliding: int
    layers: tuple[int, ...]


# Every question about settings starts with this one.
@lru_cache(maxsize=512)
def kv_cache(shape: Shape, settings: Settings) -> KvCache:
    """Return what the cache of a context takes."""
    full_cells, sliding_cells = _cells(shape, settings)
    streams = 1 if settings.unified else settings.sequences
    full = streams * full_cells * _row(shape, shape.full_cache_width, settings)
    sliding = streams * sliding_cells * _row(shape, shape.sliding_cache_width, settings)
    owners = [shape.is_sliding(layer) for layer in range(shape.num_hidden_layers) if shape.owns_cache(layer)]
    layers = tuple(sliding if is_sliding else full for is_sliding in owners)
    return KvCache(
        full_cells,
        sliding_cells,
        full * owners.count(False),
        sliding * owners.count(True),
        layers + (0,) * shape.num_kv_shared_layers,
    )


def _cells(shape: Shape, settings: Settings) -> tuple[int, int]:
    context = _padded(settings.context)
    cells = context if settings.unified else _padded(context // settings.sequences)
    if settings.swa_full:
        return cells, cells
    windows = settings.sequences if settings.unified else 1
    return cells, _padded(min(cells, shape.sliding_window * windows + settings.tokens_at_once))


def _row(shape: Shape, width: int, settings: Settings) -> int:
    # Without flash attention V is stored transposed, every layer as wide as the widest.
    widest = max(shape.full_cache_width, shape.sliding_cache_width)
    values = width if settings.flash_attention else widest
    return row_bytes(settings.cache_type_k, width) + row_bytes(settings.cache_type_v, values)


def _padded(count: int) -> int:
    return -(-count // _PAD) * _PAD
