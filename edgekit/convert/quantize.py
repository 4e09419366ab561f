"""Rows of float32 to ggml blocks, by ggml's own code."""

from __future__ import annotations

import ctypes
import importlib.util
import sys
from functools import cache
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType as Type

from edgekit.convert.gguf_file import row_bytes
from edgekit.convert.safetensors import Floats
from edgekit.errors import UnsupportedError

_LIBRARIES = {"linux": "libggml-base.so", "darwin": "libggml-base.dylib", "win32": "ggml-base.dll"}


@cache
def _ggml() -> ctypes.CDLL:
    # The package's own import would load its accelerators too: quantizing needs none.
    package = importlib.util.find_spec("llama_cpp")
    if package is None or package.origin is None:
        raise UnsupportedError("llama-cpp-python is not installed: install edgekit with its dependencies")
    library = ctypes.CDLL(str(Path(package.origin).parent / "lib" / _LIBRARIES[sys.platform]))
    library.ggml_quantize_chunk.restype = ctypes.c_size_t
    library.ggml_quantize_chunk.argtypes = [
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_int64,
        ctypes.c_int64,
        ctypes.c_int64,
        ctypes.c_void_p,
    ]
    return library


def quantize(type: Type, rows: Floats, importance: Floats | None = None) -> memoryview:
    """Return rows as blocks of a type; ggml aborts where a quantized one holds NaN or infinity.

    `importance` weighs the columns: of shape (width,), or (experts, width) for rows of shape (experts, height, width).
    The last dimension must be a multiple of the type's block. The GIL is free while ggml works.
    """
    source = np.ascontiguousarray(rows)
    if type == Type.F32:
        return source.reshape(-1).view(np.uint8).data
    width = source.shape[-1]
    weights = None if importance is None else np.ascontiguousarray(importance.reshape(-1, width), np.float32)
    # One call for each expert: ggml weighs all rows of a call alike.
    parts = source.reshape(1 if weights is None else len(weights), -1, width)
    made = np.empty((len(parts), parts.shape[1] * row_bytes(type, width)), np.uint8)
    for index, part in enumerate(parts):
        weight = None if weights is None else weights[index].ctypes.data
        _ggml().ggml_quantize_chunk(type, part.ctypes.data, made[index].ctypes.data, 0, len(part), width, weight)
    return made.reshape(-1).data
