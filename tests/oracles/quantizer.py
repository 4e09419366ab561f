"""llama.cpp's own quantizer, through the bindings."""

from __future__ import annotations

import ctypes
from pathlib import Path

import llama_cpp

from edgekit.engine import native


def llama_quantize(source: Path, quantization: str, out: Path) -> Path:
    """Quantize a GGUF as llama-quantize does by default; return `out`."""
    native.start()
    settings = llama_cpp.llama_model_quantize_default_params()
    settings.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{quantization}")
    code = llama_cpp.llama_model_quantize(str(source).encode(), str(out).encode(), ctypes.byref(settings))
    assert code == 0, f"llama_model_quantize returned {code}"
    return out
