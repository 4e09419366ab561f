"""How far two models' next-token distributions are apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float32]]
Doubles = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Divergence:
    """Kullback-Leibler divergences of one model's distributions from another's, in nats, over some tokens."""

    tokens: int
    mean: float
    largest: float
    # How often the likeliest token is the same.
    same_top: int


def log_probabilities(logits: Floats) -> Floats:
    """Return the logarithms of the probabilities, of the same shape; NaN everywhere where a logit is none."""
    with np.errstate(invalid="ignore"):
        shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
        found: Floats = (shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))).astype(np.float32)
    return found


def divergence(base: Floats, other: Floats) -> Divergence:
    """Compare distributions, given as logarithms of shape (tokens, vocabulary): KL(base || other)."""
    each = [_row(one, two) for one, two in zip(base, other, strict=True)]
    same = int(np.sum(base.argmax(axis=-1) == other.argmax(axis=-1)))
    return Divergence(len(each), float(np.mean(each)), float(np.max(each)), same)


def together(parts: list[Divergence]) -> Divergence:
    """Return what several divergences amount to over all their tokens."""
    tokens = sum(part.tokens for part in parts)
    mean = sum(part.mean * part.tokens for part in parts) / max(tokens, 1)
    largest = max((part.largest for part in parts), default=0.0)
    return Divergence(tokens, mean, largest, sum(part.same_top for part in parts))


def _row(base: Floats, other: Floats) -> float:
    likely = base.astype(np.float64)
    # Rounding to float32 leaves sums that are off by 1e-7: never below zero, where the true value is.
    return max(float(np.sum(np.exp(likely) * (likely - other))), 0.0)
