"""How far two models' next-token distributions are apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float32]]
Doubles = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Divergence:
    """Kullback-Leibler divergences of one model's distributions from another's, in nats, over some tokens.

    None where a model computes no numbers.
    """

    tokens: int
    mean: float | None
    largest: float | None
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
    # An adapter may add tokens: the base never says them.
    known = min(base.shape[-1], other.shape[-1])
    each = [_row(one[:known], two[:known]) for one, two in zip(base, other, strict=True)]
    same = int(np.sum(base.argmax(axis=-1) == other.argmax(axis=-1)))
    if not np.isfinite(each).all():
        return Divergence(len(each), None, None, same)
    return Divergence(len(each), float(np.mean(each)), float(np.max(each)), same)


def together(parts: list[Divergence]) -> Divergence:
    """Return what several divergences amount to over all their tokens."""
    tokens, same = sum(part.tokens for part in parts), sum(part.same_top for part in parts)
    means = [part.mean * part.tokens for part in parts if part.mean is not None]
    largest = [part.largest for part in parts if part.largest is not None]
    if len(means) < len(parts) or not tokens:
        return Divergence(tokens, None, None, same)
    return Divergence(tokens, sum(means) / tokens, max(largest), same)


def _row(base: Floats, other: Floats) -> float:
    likely = base.astype(np.float64)
    # Rounding to float32 leaves sums that are off by 1e-7: never below zero, where the true value is.
    return max(float(np.sum(np.exp(likely) * (likely - other))), 0.0)
