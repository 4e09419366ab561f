"""ggml's tensors while a graph is computed: their names, shapes and values."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np

from edgekit.engine.native import llama
from edgekit.errors import UnsupportedError

# ggml.h: GGML_MAX_DIMS, GGML_MAX_OP_PARAMS, GGML_MAX_SRC, GGML_MAX_NAME; ggml.c: sizeof(struct ggml_object).
_DIMENSIONS, _PARAMETERS, _SOURCES, _NAME, _OBJECT = 4, 64, 10, 64, 32
_F32 = 0


class Tensor(ctypes.Structure):
    """struct ggml_tensor of ggml.h, of which the bindings have no copy; extents and strides begin with the row."""

    ne: Any
    nb: Any
    src: Any
    op: int
    type: int
    name: bytes


Tensor._fields_ = [
    ("type", ctypes.c_int),
    ("buffer", ctypes.c_void_p),
    ("ne", ctypes.c_int64 * _DIMENSIONS),
    ("nb", ctypes.c_size_t * _DIMENSIONS),
    ("op", ctypes.c_int),
    ("op_params", ctypes.c_char * _PARAMETERS),
    ("flags", ctypes.c_int32),
    ("src", ctypes.POINTER(Tensor) * _SOURCES),
    ("view_src", ctypes.c_void_p),
    ("view_offs", ctypes.c_size_t),
    ("data", ctypes.c_void_p),
    ("name", ctypes.c_char * _NAME),
    ("extra", ctypes.c_void_p),
    ("padding", ctypes.c_char * 8),
]


@cache
def _ggml() -> ctypes.CDLL:
    # Looked up in llama.cpp's library, the loader finds what ggml's beside it has.
    library: ctypes.CDLL = llama._lib
    library.ggml_op_name.restype = ctypes.c_char_p
    library.ggml_op_name.argtypes = [ctypes.c_int]
    library.ggml_nbytes.restype = ctypes.c_size_t
    library.ggml_nbytes.argtypes = [ctypes.c_void_p]
    library.ggml_backend_tensor_get.restype = None
    library.ggml_backend_tensor_get.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t]
    library.ggml_tensor_overhead.restype = ctypes.c_size_t
    if library.ggml_tensor_overhead() != _OBJECT + ctypes.sizeof(Tensor):
        raise UnsupportedError("this llama-cpp-python lays out tensors in another way: install the one edgekit names")
    return library


def operation(tensor: Tensor) -> str:
    """Return how ggml calls what makes a tensor: MUL_MAT and so on."""
    return _operation(tensor.op)


@cache
def _operation(number: int) -> str:
    name: bytes = _ggml().ggml_op_name(number)
    return name.decode()


def is_f32(tensor: Tensor) -> bool:
    """Return whether a tensor's values are 32-bit floats."""
    return tensor.type == _F32


def values(tensor: Tensor, dtype: type[np.generic] = np.float32) -> np.ndarray[Any, Any]:
    """Return a copy of a tensor's values, wherever they lie; the row is the last dimension."""
    address = ctypes.addressof(tensor)
    raw = np.empty(_ggml().ggml_nbytes(address), np.uint8)
    _ggml().ggml_backend_tensor_get(address, raw.ctypes.data, 0, raw.nbytes)
    # A view of another tensor has gaps.
    return np.ndarray(tuple(reversed(tensor.ne)), dtype, raw.data, 0, tuple(reversed(tensor.nb)))
