"""Seconds that llama.cpp's kernels take for a token, from how fast each was timed on this processor."""

from __future__ import annotations

from statistics import median

from edgekit.fit.work import Work, parameters
from edgekit.hardware.machine import Kernels


def decode_seconds(work: Work, kernels: Kernels, *, repack: bool) -> float:
    """Return the seconds that computing one token takes on the processor."""
    repacked = kernels.decode_repacked if repack else {}
    # Weights are streamed from memory, so bytes count; small operations cost the meeting of the threads.
    weights = sum(size / _rate(kernels.decode, repacked, kind) for kind, size in work.weights.items())
    attention = work.attention / kernels.attention_decode
    activations = (work.activations + work.logits) / kernels.activation_decode
    return weights + attention + activations + work.steps * kernels.step


def prefill_seconds(work: Work, kernels: Kernels, *, repack: bool) -> float:
    """Return the seconds that each token of a long prompt takes on the processor; only the last one gives logits."""
    repacked = kernels.prefill_repacked if repack else {}
    inner = parameters(work.layers).items()
    weights = sum(count / _rate(kernels.prefill, repacked, kind) for kind, count in inner)
    return weights + work.attention / kernels.attention_prefill + work.activations / kernels.activation_prefill


def _rate(plain: dict[str, float], repacked: dict[str, float], kind: str) -> float:
    # Types that were not timed, F32 and the rarest, are few in a file: as fast as the middle of the others.
    return repacked.get(kind) or plain.get(kind) or median(plain.values())
