"""Which weights llama.cpp keeps a second, rearranged copy of (ggml-cpu/repack.cpp)."""

from __future__ import annotations

from edgekit.hardware.machine import Processor

# Processor feature: the tensor types that are rearranged for it. Gemma 4's rows are multiples of 8, as all of them ask.
_TYPES = {
    "avx2": {"Q4_0", "Q4_K", "IQ4_NL", "MXFP4"},
    "avx512": {"Q2_K"},
    "dotprod": {"Q4_0", "Q4_K", "Q5_K", "Q6_K", "Q8_0", "IQ4_NL", "MXFP4"},
}


def repackable(by_type: dict[str, int], processor: Processor) -> int:
    """Return the bytes of the copy when every layer runs on this processor; sizes inside the layers by tensor type."""
    kinds = {kind for feature in processor.features for kind in _TYPES.get(feature, ())}
    return sum(size for kind, size in by_type.items() if kind in kinds)


def repacks(processor: Processor) -> bool:
    """Return whether llama.cpp rearranges weights for this processor at all."""
    return any(feature in _TYPES for feature in processor.features)
