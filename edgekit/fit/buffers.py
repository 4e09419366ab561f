"""Bytes of llama.cpp's working buffers: a first estimate, tested against its dry run."""

from __future__ import annotations

from edgekit.catalog.variant import Tower, Variant
from edgekit.fit.kv_cache import KvCache
from edgekit.fit.settings import Settings

_FLOAT = 4
_HALF = 2
# Graph inputs that do not grow with the batch.
_FIXED = 32 << 10


def compute_buffer(variant: Variant, cache: KvCache, settings: Settings) -> int:
    """Return the compute buffer: activations, logits of the asked outputs and the two attention masks.

    The activations per token were measured with llama.cpp's dry run; masks are float16, one row per token of a ubatch.
    """
    ubatch = min(settings.ubatch, settings.batch, cache.full_cells)
    activations = max(variant.compute_per_token * ubatch, logits(variant, settings.outputs))
    if settings.outputs > 1:
        activations += logits(variant, settings.outputs)
    return activations + masks(cache, ubatch) + _FIXED


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
