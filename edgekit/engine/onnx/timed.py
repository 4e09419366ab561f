"""A folder of ONNX files to be timed, and onnxruntime alone with its graphs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from edgekit.engine.onnx.engine import OnnxEngine
from edgekit.engine.onnx.runtime import Run, stoppable
from edgekit.engine.sampling import Sampling
from edgekit.engine.vocabulary import Vocabulary


class TimedOnnx:
    """A loaded folder."""

    library = "onnxruntime"

    def __init__(self, engine: OnnxEngine) -> None:
        """Give the cache its whole length: it would grow within a test otherwise, and copy what it holds."""
        self._engine = engine
        engine.decoder.keys.reserve(engine.context, len(engine.decoder))
        self.mark()

    @property
    def vocabulary(self) -> Vocabulary:
        """Return the model's tokens."""
        return self._engine.vocabulary

    def clear(self) -> None:
        """Forget everything."""
        self._engine.decoder.clear()

    def mark(self) -> None:
        """Remember where the cache ends."""
        self._mark = len(self._engine.decoder)

    def go_back(self) -> None:
        """Forget what came after the mark."""
        self._engine.decoder.go_back(self._mark)

    def read(self, tokens: list[int], stop: threading.Event) -> Iterator[int]:
        """Compute tokens; yields how many are in the cache."""
        return self._engine.read([tokens], stop)

    def write(self, count: int, stop: threading.Event) -> int:
        """Write tokens; returns how many."""
        tokens = list(self._engine.write(Sampling(seed=count, max_tokens=count), stop))
        # Nothing is computed for the last token that the model writes: it has to be, to be timed.
        self._engine.decoder.append(tokens[-1], Run(stop))
        return len(tokens)

    def alone(self, stop: threading.Event) -> BareLoop:
        """Return onnxruntime's own loop."""
        return BareLoop(self._engine, stop)


class BareLoop:
    """The two text graphs one after the other and nothing else, in the same buffers of keys and values."""

    def __init__(self, engine: OnnxEngine, stop: threading.Event) -> None:
        self._decoder, self._stop = engine.decoder, stop
        self._mask = np.ones((1, engine.context), np.int64)
        self._positions = np.arange(engine.context, dtype=np.int64)[None]
        self._one = np.array(1, np.int64)

    def prefill(self, tokens: list[int]) -> float:
        """Read tokens in batches as large as the engine's."""
        size = self._decoder.batch
        return self._compute([tokens[start : start + size] for start in range(0, len(tokens), size)])

    def decode(self, tokens: list[int]) -> float:
        """Compute tokens one by one, as if the model had chosen them."""
        return self._compute([[token] for token in tokens])

    def _compute(self, batches: Sequence[list[int]]) -> float:
        done = len(self._decoder)
        with stoppable(self._stop) as run:
            started = time.perf_counter()
            binding = self._decoder.graph.session.io_binding()
            self._decoder.keys.bind(binding)
            binding.bind_output("logits", "cpu")
            for batch in batches:
                self._run(batch, done, binding, run)
                done += len(batch)
            return time.perf_counter() - started

    def _run(self, tokens: list[int], done: int, binding: Any, run: Run) -> None:  # noqa: ANN401 - its native part has no types
        embed, graph, total = self._decoder.embed, self._decoder.graph, done + len(tokens)
        feeds = {
            **embed.run({"input_ids": np.array([tokens], np.int64)}, run),
            "attention_mask": self._mask[:, :total],
            "position_ids": self._positions[:, done:total],
            "num_logits_to_keep": self._one,
        }
        # The binding holds no more than addresses: the names keep the arrays alive.
        given = {name: np.asarray(feeds[name], graph.dtype(name)) for name in feeds.keys() & graph.inputs.keys()}
        for name, value in given.items():
            binding.bind_cpu_input(name, value)
        graph.run_bound(binding, run)
