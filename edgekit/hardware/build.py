"""What the installed llama.cpp build itself says: its devices, and the instruction sets it was compiled for."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

from edgekit.hardware.backends import library_folder
from edgekit.hardware.ggml import silently
from edgekit.hardware.libraries import backend_loader
from edgekit.hardware.machine import BackendDevice

# enum ggml_backend_dev_type (ggml-backend.h); a further kind stands for several devices taken together.
_KINDS = ("cpu", "gpu", "integrated_gpu", "accelerator")
# Where the functions below are.
_LIBRARIES = ("ggml-base", "ggml", "ggml-cpu")
# edgekit's name of an instruction set: that in ggml_cpu_has_NAME (ggml-cpu.h).
_FEATURES = {
    "avx": "avx",
    "avx2": "avx2",
    "f16c": "f16c",
    "fma": "fma",
    "avx_vnni": "avx_vnni",
    "avx512": "avx512",
    "avx512_vbmi": "avx512_vbmi",
    "avx512_vnni": "avx512_vnni",
    "avx512_bf16": "avx512_bf16",
    "amx_int8": "amx_int8",
    "neon": "neon",
    "fp16": "fp16_va",
    "dotprod": "dotprod",
    "i8mm": "matmul_int8",
    "sve": "sve",
    "sme": "sme",
    "rvv": "riscv_v",
}


@cache
def load_backends() -> None:
    """Let ggml load its backends, the processor's among them, where they are not linked into llama.cpp; once.

    Left alone, llama.cpp would look for them beside the Python interpreter and in the current folder.
    """
    if load := backend_loader():
        with silently():
            load()


def backend_devices() -> tuple[BackendDevice, ...]:
    """Return the devices that llama.cpp would choose from; asking starts the driver of every GPU it was built for."""
    try:
        load_backends()
        count, get = _function("ggml_backend_dev_count"), _function("ggml_backend_dev_get")
        count.restype, get.restype, get.argtypes = ctypes.c_size_t, ctypes.c_void_p, [ctypes.c_size_t]
        return tuple(_device(get(index)) for index in range(count()))
    except (OSError, AttributeError):
        return ()


def built_features() -> frozenset[str] | None:
    """Return the instruction sets that llama.cpp was compiled for; None where it chooses one of several builds."""
    try:
        return frozenset(name for name, its in _FEATURES.items() if _function(f"ggml_cpu_has_{its}")())
    except (OSError, AttributeError):
        return None


def _device(handle: int) -> BackendDevice:
    kind = int(_asked("ggml_backend_dev_type", ctypes.c_int, handle))
    name = _asked("ggml_backend_dev_name", ctypes.c_char_p, handle).decode()
    description = _asked("ggml_backend_dev_description", ctypes.c_char_p, handle).decode()
    return BackendDevice(name, description, _KINDS[kind] if kind < len(_KINDS) else "meta")


def _asked(name: str, result: Any, handle: int) -> Any:  # noqa: ANN401 - what C gives
    function = _function(name)
    function.restype, function.argtypes = result, [ctypes.c_void_p]
    return function(handle)


def _function(name: str) -> Any:  # noqa: ANN401 - a C function
    # Windows looks a name up in one library only, not in those that it needs.
    library = next((library for library in _libraries() if hasattr(library, name)), None)
    if library is None:
        raise AttributeError(name)
    return getattr(library, name)


@cache
def _libraries() -> tuple[ctypes.CDLL, ...]:
    folder = library_folder()
    files = (_file(folder, name) for name in _LIBRARIES) if folder else ()
    # Not through `import llama_cpp`, which takes a second.
    return tuple(ctypes.CDLL(str(file)) for file in files if file)


def _file(folder: Path, name: str) -> Path | None:
    return next(iter(sorted(folder.glob(f"*{name}.*"))), None)
