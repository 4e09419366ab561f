"""How the next token is chosen, in numpy: the same steps, in the same order, as llama.cpp's samplers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgekit.engine.sampling import Sampling


class LogitsSampler:
    """Chooses tokens for one answer; the same seed gives the same answer."""

    def __init__(self, sampling: Sampling, suppressed: Sequence[int] = ()) -> None:
        self._sampling, self._suppressed = sampling, list(suppressed)
        self._random = np.random.default_rng(sampling.seed)

    def next(self, logits: np.ndarray[Any, Any]) -> int:
        """Choose from logits of shape (vocabulary,)."""
        logits = logits.astype(np.float64)
        logits[self._suppressed] = -np.inf
        if self._sampling.temperature <= 0:
            return int(logits.argmax())
        tokens = self._likeliest(logits)
        kept = self._within_top_p(_softmax(logits[tokens]))
        shares = _softmax(logits[tokens[:kept]] / self._sampling.temperature)
        return int(tokens[self._random.choice(kept, p=shares)])

    def _likeliest(self, logits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return the tokens that `top_k` leaves, the likeliest first."""
        count = min(self._sampling.top_k or len(logits), len(logits))
        # Sorting 262,144 logits for each token would take longer than computing a small model.
        chosen = np.argpartition(-logits, count - 1)[:count] if count < len(logits) else np.arange(count)
        order: np.ndarray[Any, Any] = chosen[np.argsort(-logits[chosen], kind="stable")]
        return order

    def _within_top_p(self, shares: np.ndarray[Any, Any]) -> int:
        """Return how many of the likeliest tokens it takes to reach `top_p`; at least one."""
        reached = np.cumsum(shares) >= self._sampling.top_p
        return int(reached.argmax()) + 1 if reached.any() else len(shares)


def _softmax(logits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    shares = np.exp(logits - logits.max())
    result: np.ndarray[Any, Any] = shares / shares.sum()
    return result
