"""A GGUF file to be timed, and llama.cpp alone with it, as llama-bench does."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

from edgekit.engine.engine import Engine
from edgekit.engine.native import ABORTED, StoppedError, llama
from edgekit.engine.sampling import Sampling
from edgekit.engine.vocabulary import Vocabulary
from edgekit.errors import EdgekitError


class TimedLlama:
    """A loaded GGUF file."""

    library = "llama.cpp"

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.mark()

    @property
    def vocabulary(self) -> Vocabulary:
        """Return the model's tokens."""
        return self._engine.vocabulary

    def clear(self) -> None:
        """Forget everything."""
        self._engine.cache.clear()

    def mark(self) -> None:
        """Remember where the cache ends."""
        self._mark = self._engine.cache.remember()

    def go_back(self) -> None:
        """Forget what came after the mark."""
        self._engine.cache.go_back(self._mark)

    def read(self, tokens: list[int], stop: threading.Event) -> Iterator[int]:
        """Compute tokens; yields how many are in the cache."""
        return self._engine.read([tokens], stop)

    def write(self, count: int, stop: threading.Event) -> int:
        """Write tokens without guesses; returns how many."""
        tokens = list(self._engine.write(Sampling(seed=count, max_tokens=count), stop, drafting="never"))
        # Nothing is computed for the last token that the model writes: it has to be, to be timed.
        self._engine.cache.append(tokens[-1])
        return len(tokens)

    def alone(self, stop: threading.Event) -> BareLoop:
        """Return llama.cpp's own loop."""
        return BareLoop(self._engine, stop)


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
