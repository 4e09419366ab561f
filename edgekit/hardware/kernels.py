"""How fast llama.cpp's own kernels are on this processor, by the type of the weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from edgekit.hardware.ggml import TYPES, Tensors, call, device, repacking_buffers, silently
from edgekit.hardware.machine import Kernels

# Rows and columns of a layer's matrices. As many matrices as it takes to find nothing in a cache.
_WIDTH, _HEIGHT = 2048, 8192
_BYTES = 96 << 20
# A short prompt's worth of columns, on a smaller matrix: these are bound by arithmetic.
_COLUMNS, _LOW = 256, 1024
_HEADS, _HEAD, _CELLS = 8, 256, 2048
_STEPS = 400
_REPACKED = "_repacked"
_SECONDS = 0.05
# As a half or a float this byte repeated is an ordinary number near one: no NaN, nothing denormal.
_FILL = 0x3F
_WEIGHTS = [kind for kind in TYPES if kind != "F32"]


def time_kernels(threads: int, progress: Callable[[float, float], None]) -> Kernels:
    """Time decode, prefill and attention with so many threads; takes some seconds and up to 200 MiB of memory.

    Raises OSError, AttributeError or MemoryError where this build of llama.cpp or this machine does not allow it.
    """
    with silently(), _Timer(threads) as timer:
        rates: dict[str, dict[str, float]] = {
            "decode": {},
            "decode_repacked": {},
            "prefill": {},
            "prefill_repacked": {},
        }
        for index, kind in enumerate(_WEIGHTS):
            progress(index, len(_WEIGHTS) + 1)
            for suffix, memory in (("", None), (_REPACKED, repacking_buffers())):
                if suffix and memory is None:
                    continue
                size, seconds = timer.multiply(kind, _HEIGHT, 1, memory)
                if not size:
                    continue
                rates["decode" + suffix][kind] = size / seconds
                _, seconds = timer.multiply(kind, _LOW, _COLUMNS, memory, only_one=True)
                rates["prefill" + suffix][kind] = _WIDTH * _LOW * _COLUMNS / seconds
        progress(len(_WEIGHTS), len(_WEIGHTS) + 1)
        return Kernels(
            threads=threads,
            **rates,
            attention_decode=timer.attend(1),
            attention_prefill=timer.attend(_COLUMNS),
            activation_decode=timer.activate(1),
            activation_prefill=timer.activate(_COLUMNS),
            step=timer.step(),
        )


class _Timer:
    def __init__(self, threads: int) -> None:
        self._backend = call("ggml_backend_cpu_init")
        call("ggml_backend_cpu_set_n_threads", self._backend, threads)

    def __enter__(self) -> _Timer:
        return self

    def __exit__(self, *_: object) -> None:
        call("ggml_backend_free", self._backend)

    def multiply(
        self, kind: str, height: int, columns: int, memory: int | None, *, only_one: bool = False
    ) -> tuple[int, float]:
        """Return bytes of weights and seconds; no bytes where ggml does not rearrange this type."""
        with ExitStack() as stack:
            weights, work = _tensors(stack, 64), _tensors(stack, 256)
            first = weights.new(kind, _WIDTH, height)
            size = int(call("ggml_nbytes", first))
            matrices = [first] + [weights.new(kind, _WIDTH, height) for _ in range(0 if only_one else _BYTES // size)]
            weights.allocate(memory, None if memory else _FILL)
            column = work.new("F32", _WIDTH, columns)
            products = [call("ggml_mul_mat", work.context, matrix, column) for matrix in matrices]
            if memory:
                if not call("ggml_backend_dev_supports_op", device(), products[0]):
                    return 0, 0.0
                content = bytes([_FILL]) * size
                for matrix in matrices:
                    call("ggml_backend_tensor_set", matrix, content, 0, size)
            work.allocate(fill=_FILL)
            return size * len(matrices), self._seconds(work, products)

    def attend(self, columns: int) -> float:
        """Return multiply-adds per second of attention over a half-precision cache."""
        with ExitStack() as stack:
            work = _tensors(stack, 64)
            queries = work.new("F32", _HEAD, columns, _HEADS)
            keys, values = work.new("F16", _HEAD, _CELLS), work.new("F16", _HEAD, _CELLS)
            mask = work.new("F16", _CELLS, columns)
            answer = call("ggml_flash_attn_ext", work.context, queries, keys, values, mask, 1.0, 0.0, 0.0)
            work.allocate(fill=_FILL)
            return 2 * _HEADS * columns * _CELLS * _HEAD / self._seconds(work, [answer])

    def activate(self, rows: int) -> float:
        """Return values per second of tanh; threads share rows, never one row."""
        with ExitStack() as stack:
            work = _tensors(stack, 64)
            answer = call("ggml_tanh", work.context, work.new("F32", _HEIGHT, rows))
            work.allocate(fill=_FILL)
            return rows * _HEIGHT / self._seconds(work, [answer])

    def step(self) -> float:
        """Return the seconds of a norm of one row: all threads meet after each operation."""
        with ExitStack() as stack:
            work = _tensors(stack, 2 * _STEPS)
            norms = [work.new("F32", _WIDTH)]
            for _ in range(_STEPS):
                norms.append(call("ggml_rms_norm", work.context, norms[-1], 1e-6))
            work.allocate(fill=_FILL)
            return self._seconds(work, norms[1:]) / _STEPS

    def _seconds(self, work: Tensors, results: list[int]) -> float:
        graph = call("ggml_new_graph_custom", work.context, 2 * len(results) + 8, False)
        for result in results:
            call("ggml_build_forward_expand", graph, result)
        call("ggml_backend_graph_compute", self._backend, graph)
        return min(self._runs(graph))

    def _runs(self, graph: int) -> Iterator[float]:
        deadline, count = time.perf_counter() + _SECONDS, 0
        while count < 3 or time.perf_counter() < deadline:
            start = time.perf_counter()
            call("ggml_backend_graph_compute", self._backend, graph)
            yield time.perf_counter() - start
            count += 1


def _tensors(stack: ExitStack, count: int) -> Tensors:
    made = Tensors(count)
    stack.callback(made.close)
    return made
