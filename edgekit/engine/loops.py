"""Two ways to read and write with the same model and cache, timed: edgekit's, and llama.cpp's as llama-bench does."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Protocol

from edgekit.engine.engine import Engine
from edgekit.engine.native import ABORTED, StoppedError, llama
from edgekit.engine.sampling import Sampling
from edgekit.errors import EdgekitError


class Loop(Protocol):
    """Goes on from where the cache stands; returns seconds, raises StoppedError once told to stop."""

    def prefill(self, tokens: list[int]) -> float:
        """Read tokens."""

    def decode(self, tokens: list[int]) -> float:
        """Write as many tokens."""


class OwnLoop:
    """What a conversation does: reads batch by batch, chooses each token by Gemma 4's sampling."""

    def __init__(self, engine: Engine, known: list[int], stop: threading.Event) -> None:
        self._engine, self._known, self._stop = engine, known, stop

    def prefill(self, tokens: list[int]) -> float:
        """Read tokens after the known ones."""
        started = time.perf_counter()
        for _ in self._engine.read([self._known + tokens], self._stop):
            continue
        return time.perf_counter() - started

    def decode(self, tokens: list[int]) -> float:
        """Write as many tokens; which ones is left to the model."""
        started, left = time.perf_counter(), len(tokens)
        while left:
            sampling = Sampling(seed=left, max_tokens=left)
            tokens = list(self._engine.write(sampling, self._stop, drafting="never"))
            left -= len(tokens)
            # Nothing is computed for the last token that the model writes: it has to be, to be timed.
            self._engine.cache.append(tokens[-1])
        return time.perf_counter() - started


class BareLoop:
    """llama_decode and nothing else, by llama.cpp's own clock."""

    def __init__(self, engine: Engine, stop: threading.Event) -> None:
        self._engine, self._stop = engine, stop
        self._context = engine.cache.context

    def prefill(self, tokens: list[int]) -> float:
        """Read tokens in batches as large as the plan's."""
        size = self._engine.plan.batch
        self._compute([tokens[start : start + size] for start in range(0, len(tokens), size)])
        # A lone token left over counts as written.
        spent = llama.llama_perf_context(self._context)
        return float(spent.t_p_eval_ms + spent.t_eval_ms) / 1000

    def decode(self, tokens: list[int]) -> float:
        """Compute tokens one by one, as if the model had chosen them."""
        self._compute([[token] for token in tokens])
        return float(llama.llama_perf_context(self._context).t_eval_ms) / 1000

    def _compute(self, batches: Sequence[list[int]]) -> None:
        llama.llama_perf_context_reset(self._context)
        with self._engine.cache.stop.following(self._stop):
            for batch in batches:
                array = (llama.llama_token * len(batch))(*batch)
                status = llama.llama_decode(self._context, llama.llama_batch_get_one(array, len(batch)))
                llama.llama_synchronize(self._context)
                if status == ABORTED:
                    raise StoppedError
                if status:
                    raise EdgekitError(f"llama.cpp could not compute (status {status})")
