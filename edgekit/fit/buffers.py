"""Bytes of llama.cpp's working buffers, tested against its own dry run."""

from __future__ import annotations

from edgekit.catalog.variant import Tower, Variant
from edgekit.fit.kv_cache import KvCache
from edgekit.fit.settings import Settings

_FLOAT = 4
_HALF = 2
_PLAIN = ("F32", "F16", "BF16")
# Inputs of the graph: a token's number and position, and where its keys and values go in either pool.
_INPUTS_PER_TOKEN = 48
_INPUTS = 4 << 10
# Quantized caches are rotated: a matrix of 512 x 512 and one of 256 x 256 floats.
_ROTATION = (1 << 20) + (5 << 16)


def compute_buffer(variant: Variant, cache: KvCache, settings: Settings) -> int:
    """Return the compute buffer of one device: activations, logits and the two attention masks.

    With one output and flash attention this is llama.cpp's own number to 0.5 %, from above (tests/fit/test_dry_run.py).
    With more outputs it is an upper bound, up to twice as much.
    """
    ubatch = min(settings.ubatch, settings.batch, cache.full_cells)
    activations = variant.compute_per_token * ubatch + (
        logits(variant, settings.outputs) if settings.outputs > 1 else 0
    )
    quantized = settings.cache_type_k not in _PLAIN or settings.cache_type_v not in _PLAIN
    inputs = _INPUTS + _INPUTS_PER_TOKEN * ubatch + (_ROTATION if quantized else 0)
    return activations + masks(cache, ubatch) + inputs


def on_devices(compute: int, cache: KvCache, settings: Settings) -> int:
    """Return the compute buffers of all accelerators together.

    Each has its own; several work on several ubatches at a time, with four copies of the masks (ggml-backend.cpp,
    GGML_SCHED_MAX_COPIES). Not measured: no machine with two accelerators was at hand.
    """
    if settings.gpus == 1:
        return compute
    return settings.gpus * (compute + 3 * masks(cache, settings.ubatch))


def masks(cache: KvCache, ubatch: int) -> int:
    """Return the bytes of the masks of the full and the sliding layers."""
    return _HALF * ubatch * (cache.full_cells + cache.sliding_cells)


def host_inputs(variant: Variant, cache: KvCache, settings: Settings) -> int:
    """Return the host's share of the compute buffer when the layers run on an accelerator.

    Masks and the embeddings of a ubatch are made on the host; source: facts of a published E4B log, within 3 %.
    """
    shape = variant.shape
    width = 2 * shape.hidden_size + shape.hidden_size_per_layer_input * shape.num_hidden_layers
    return masks(cache, settings.ubatch) + _FLOAT * width * settings.ubatch


def logits(variant: Variant, outputs: int) -> int:
    """Return the bytes of `outputs` rows of logits."""
    return outputs * variant.shape.vocab_size * _FLOAT


def tower_buffer(tower: Tower, tokens: int) -> int:
    """Return the working memory of an encoder for `tokens` soft tokens: an upper estimate with flash attention.

    Ten rows of activations and three of the MLP live at once; not yet checked against llama.cpp's own number.
    """
    return tokens * tower.patches_per_token * _FLOAT * (10 * tower.hidden_size + 3 * tower.intermediate_size)
