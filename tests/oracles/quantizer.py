"""llama.cpp's own quantizer, through the bindings."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import llama_cpp
import numpy as np

from edgekit.engine import native

# A tensor's line: its type, and the one that it gets.
_DRY_RUN = re.compile(r"^\[\s*\d+/\s*\d+\]\s+(\S+)\s.*?type =\s*(\S+),.*?(?:->\s*[\d.]+ MiB \((\S+)\))?$", re.MULTILINE)


@dataclass(frozen=True)
class Asked:
    """Options of llama-quantize: types by their numbers, an importance matrix with what its file says of itself."""

    pure: bool = False
    tensor_types: Mapping[str, int] = field(default_factory=dict)
    token_embedding: int | None = None
    output: int | None = None
    importance: Mapping[str, np.ndarray] = field(default_factory=dict)
    keys: Mapping[str, str | int] = field(default_factory=dict)


def llama_quantize(source: Path, quantization: str, out: Path, asked: Asked | None = None) -> Path:
    """Quantize a GGUF as llama-quantize does; return `out`."""
    code = llama_quantize_code(source, quantization, out, asked)
    assert code == 0, f"llama_model_quantize returned {code}: {native.complaints()}"
    return out


def llama_quantize_code(source: Path, quantization: str, out: Path, asked: Asked | None = None) -> int:
    """Return llama_model_quantize's own code: 0 where it made the file."""
    native.start()
    native.forget_complaints()
    asked = asked or Asked()
    settings = llama_cpp.llama_model_quantize_default_params()
    settings.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{quantization}")
    settings.pure = asked.pure
    if asked.token_embedding is not None:
        settings.token_embedding_type = asked.token_embedding
    if asked.output is not None:
        settings.output_tensor_type = asked.output
    if asked.tensor_types:
        settings.tt_overrides = _overrides(asked.tensor_types)
    if asked.importance:
        settings.imatrix = _matrix(asked.importance)
        settings.kv_overrides = _keys(asked.keys)
    code: int = llama_cpp.llama_model_quantize(str(source).encode(), str(out).encode(), ctypes.byref(settings))
    return code


def quantized_types(file: Path, quantization: str, *, has_importance: bool = False) -> dict[str, str]:
    """Return the type that each tensor of a GGUF would be stored in; the file needs no weights."""
    lines: list[str] = []

    @llama_cpp.llama_log_callback
    def log(_level: int, text: bytes, _user: object) -> None:
        lines.append(text.decode(errors="replace"))

    llama_cpp.llama_log_set(log, ctypes.c_void_p(0))
    settings = llama_cpp.llama_model_quantize_default_params()
    settings.dry_run = True
    settings.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{quantization}")
    # A dry run asks only whether there is a matrix, not what is in it.
    one = (ctypes.c_float * 1)(1.0)
    matrix = (llama_cpp.llama_model_imatrix_data * 2)((b"any", one, 1))
    if has_importance:
        settings.imatrix = matrix
    code = llama_cpp.llama_model_quantize(str(file).encode(), b"unused", ctypes.byref(settings))
    # llama.cpp has one log for all: give it back to the engine.
    native.start.cache_clear()
    native.start()
    assert code == 0, "".join(lines)[-500:]
    rows = _DRY_RUN.findall("".join(lines))
    return {name: (new or old).upper() for name, old, new in rows}


def _overrides(types: Mapping[str, int]) -> ctypes.Array[llama_cpp.llama_model_tensor_override]:
    # A last one without a pattern ends the list.
    made = (llama_cpp.llama_model_tensor_override * (len(types) + 1))()
    for one, (pattern, kind) in zip(made, types.items(), strict=False):
        one.pattern, one.type = pattern.encode(), kind
    return made


def _matrix(importance: Mapping[str, np.ndarray]) -> ctypes.Array[llama_cpp.llama_model_imatrix_data]:
    made = (llama_cpp.llama_model_imatrix_data * (len(importance) + 1))()
    for one, (name, values) in zip(made, importance.items(), strict=False):
        assert values.dtype == np.float32
        assert values.flags.c_contiguous
        pointer = values.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        one.name, one.data, one.size = name.encode(), pointer, values.size
    return made


def _keys(keys: Mapping[str, str | int]) -> ctypes.Array[llama_cpp.llama_model_kv_override]:
    made = (llama_cpp.llama_model_kv_override * (len(keys) + 1))()
    for one, (key, value) in zip(made, keys.items(), strict=False):
        one.key = key.encode()
        if isinstance(value, int):
            one.tag, one.value.val_i64 = llama_cpp.LLAMA_KV_OVERRIDE_TYPE_INT, value
        else:
            one.tag, one.value.val_str = llama_cpp.LLAMA_KV_OVERRIDE_TYPE_STR, value.encode()[:127]
    return made
