"""llama.cpp's libraries: built for one processor, or with one library per kind of processor to choose from."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from edgekit.hardware.backends import library_folder

_NAMES = {"linux": "lib{}.so", "darwin": "lib{}.dylib", "win32": "{}.dll"}
# What ggml chooses from when it starts (ggml-backend-reg.cpp): on macOS too they end as on Linux.
_CHOICES = "ggml-cpu-*.dll" if sys.platform == "win32" else "libggml-cpu-*.so"


@cache
def processor_library() -> Path | None:
    """Return the library with ggml's kernels for this processor: the only one, or of several the one that ggml takes.

    None where llama-cpp-python is not installed, or has nothing that runs here.
    """
    folder = library_folder()
    if folder is None:
        return None
    only = folder / _file("ggml-cpu")
    if only.exists():
        return only
    scores = {path: _score(path) for path in sorted(folder.glob(_CHOICES))}
    best = max(scores, key=lambda path: scores[path], default=None)
    return best if best and scores[best] > 0 else None


def backend_loader() -> Callable[[], None] | None:
    """Return what has ggml load its backends from beside llama.cpp; None where they are linked into it."""
    folder = library_folder()
    if folder is None or (folder / _file("ggml-cpu")).exists():
        return None
    load = ctypes.CDLL(str(folder / _file("ggml"))).ggml_backend_load_all_from_path
    load.restype, load.argtypes = None, [ctypes.c_char_p]
    return partial(load, os.fsencode(folder))


def _file(name: str) -> str:
    return _NAMES[sys.platform].format(name)


def _score(path: Path) -> int:
    # ggml asks each library in the same way: 0 where the processor lacks what it needs.
    try:
        return int(ctypes.CDLL(str(path)).ggml_backend_score())
    except (OSError, AttributeError):
        return 0
