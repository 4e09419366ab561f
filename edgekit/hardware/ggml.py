"""The part of ggml that timing its kernels takes: tensors in memory, three operations and a graph, on the processor."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from edgekit.hardware.libraries import processor_library

# Values of enum ggml_type (ggml.h); files depend on them, so they never change.
TYPES = {
    "F32": 0,
    "F16": 1,
    "Q4_0": 2,
    "Q4_1": 3,
    "Q5_0": 6,
    "Q5_1": 7,
    "Q8_0": 8,
    "Q3_K": 11,
    "Q4_K": 12,
    "Q5_K": 13,
    "Q6_K": 14,
    "IQ4_NL": 20,
    "IQ4_XS": 23,
    "BF16": 30,
}


class _InitParams(ctypes.Structure):
    _fields_ = (("mem_size", ctypes.c_size_t), ("mem_buffer", ctypes.c_void_p), ("no_alloc", ctypes.c_bool))


_P, _INT, _LONG, _SIZE, _FLOAT = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64, ctypes.c_size_t, ctypes.c_float
# Function: result, arguments (ggml.h, ggml-alloc.h, ggml-backend.h, ggml-cpu.h).
_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "ggml_init": (_P, [_InitParams]),
    "ggml_free": (None, [_P]),
    "ggml_nbytes": (_SIZE, [_P]),
    "ggml_new_tensor_3d": (_P, [_P, _INT, _LONG, _LONG, _LONG]),
    "ggml_mul_mat": (_P, [_P, _P, _P]),
    "ggml_rms_norm": (_P, [_P, _P, _FLOAT]),
    "ggml_tanh": (_P, [_P, _P]),
    "ggml_flash_attn_ext": (_P, [_P, _P, _P, _P, _P, _FLOAT, _FLOAT, _FLOAT]),
    "ggml_new_graph_custom": (_P, [_P, _SIZE, ctypes.c_bool]),
    "ggml_build_forward_expand": (None, [_P, _P]),
    "ggml_backend_graph_compute": (_INT, [_P, _P]),
    "ggml_backend_free": (None, [_P]),
    "ggml_backend_alloc_ctx_tensors_from_buft": (_P, [_P, _P]),
    "ggml_backend_buffer_free": (None, [_P]),
    "ggml_backend_buffer_clear": (None, [_P, ctypes.c_uint8]),
    "ggml_backend_tensor_set": (None, [_P, ctypes.c_char_p, _SIZE, _SIZE]),
    "ggml_backend_reg_dev_get": (_P, [_P, _SIZE]),
    "ggml_backend_reg_get_proc_address": (_P, [_P, ctypes.c_char_p]),
    "ggml_backend_buft_name": (ctypes.c_char_p, [_P]),
    "ggml_backend_dev_supports_op": (ctypes.c_bool, [_P, _P]),
    "ggml_backend_cpu_buffer_type": (_P, []),
    "ggml_backend_cpu_reg": (_P, []),
    "ggml_backend_cpu_init": (_P, []),
    "ggml_backend_cpu_set_n_threads": (None, [_P, _INT]),
    "ggml_log_get": (None, [_P, _P]),
    "ggml_log_set": (None, [_P, _P]),
}


@cache
def _library() -> ctypes.CDLL:
    file = processor_library()
    if file is None:
        raise OSError("llama-cpp-python is not installed")
    # Not through `import llama_cpp`, which starts the driver of every GPU. What is not in this library is looked up in
    # the one that it needs, libggml-base.
    return ctypes.CDLL(str(file))


@cache
def _function(name: str) -> Any:  # noqa: ANN401 - a C function
    function = getattr(_library(), name)
    function.restype, function.argtypes = _FUNCTIONS[name]
    return function


def call(name: str, *arguments: Any) -> Any:  # noqa: ANN401
    """Call ggml's function `name`; OSError or AttributeError where this build does not have it."""
    return _function(name)(*arguments)


@cache
def device() -> int:
    """Return ggml's device for the processor."""
    return int(call("ggml_backend_reg_dev_get", call("ggml_backend_cpu_reg"), 0))


@cache
def repacking_buffers() -> int | None:
    """Return ggml's kind of memory that rearranges weights for this processor; None where it has none."""
    found = call("ggml_backend_reg_get_proc_address", call("ggml_backend_cpu_reg"), b"ggml_backend_dev_get_extra_bufts")
    if not found:
        return None
    kinds = ctypes.CFUNCTYPE(ctypes.POINTER(_P), _P)(found)(device())
    index = 0
    while kinds[index]:
        if call("ggml_backend_buft_name", kinds[index]) == b"CPU_REPACK":
            return int(kinds[index])
        index += 1
    return None


@contextmanager
def silently() -> Iterator[None]:
    """Keep ggml from writing to the screen while the body runs."""
    listener, data = _P(), _P()
    call("ggml_log_get", ctypes.byref(listener), ctypes.byref(data))
    deaf = ctypes.CFUNCTYPE(None, _INT, ctypes.c_char_p, _P)(lambda _level, _text, _data: None)
    call("ggml_log_set", ctypes.cast(deaf, _P), None)
    try:
        yield
    finally:
        call("ggml_log_set", listener, data)


class Tensors:
    """A context of ggml: describes tensors and operations; their memory comes with `allocate`."""

    def __init__(self, count: int) -> None:
        # A tensor's record takes less than half a KiB, as does its share of a graph.
        self.context = call("ggml_init", _InitParams((count + 8) << 10, None, True))
        self._buffers: list[int] = []

    def close(self) -> None:
        """Give the memory back."""
        for buffer in self._buffers:
            call("ggml_backend_buffer_free", buffer)
        call("ggml_free", self.context)

    def new(self, kind: str, *extents: int) -> int:
        """Describe a tensor of up to three dimensions, the row's length first."""
        return int(call("ggml_new_tensor_3d", self.context, TYPES[kind], *extents, *[1] * (3 - len(extents))))

    def allocate(self, memory: int | None = None, fill: int | None = None) -> None:
        """Take the memory of everything described so far; `fill` is written to each of its bytes."""
        memory = memory or call("ggml_backend_cpu_buffer_type")
        buffer = call("ggml_backend_alloc_ctx_tensors_from_buft", self.context, memory)
        if not buffer:
            raise MemoryError("no memory to time ggml's kernels in")
        self._buffers.append(buffer)
        if fill is not None:
            call("ggml_backend_buffer_clear", buffer, fill)
