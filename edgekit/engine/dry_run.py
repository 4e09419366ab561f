"""What llama.cpp says that a file would take, without its weights: for what edgekit has no formula for."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from edgekit.engine import native
from edgekit.engine.native import llama
from edgekit.errors import FileError, UnsupportedError
from edgekit.fit.buffers import Buffers
from edgekit.gguf_header import Header

_MIB = 1 << 20
# llama.cpp's log is the only place where C can read these numbers, to a hundredth of a MiB.
_CACHE = re.compile(r"size =\s*([\d.]+) MiB \(")
_COMPUTE = re.compile(r"compute buffer size =\s*([\d.]+) MiB")
_OUTPUT = re.compile(r"output buffer size =\s*([\d.]+) MiB")
# A dry run asserts under mmap (LLAMA_LOAD_MODE_NONE).
_WITHOUT_MMAP = 0


class DryRun:
    """A file that llama.cpp has looked through but not loaded; contexts can be tried on it."""

    def __init__(self, header: Header) -> None:
        native.start()
        native.forget_complaints()
        params = llama.llama_model_default_params()
        params.no_alloc, params.load_mode, params.use_extra_bufts = True, _WITHOUT_MMAP, False
        params.n_gpu_layers = 0
        self._model: Any = llama.llama_model_load_from_file(os.fsencode(header.path), params)
        if not self._model:
            raise FileError(f"cannot load {header.path}: {native.complaints()}")
        self._path = header.path

    def buffers(self, context: int, ubatch: int, cache_type: str) -> Buffers:
        """Return what a context of one sequence takes; UnsupportedError where llama.cpp makes none."""
        params = llama.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch, params.n_seq_max = context, ubatch, ubatch, 1
        params.n_outputs_max, params.swa_full, params.flash_attn_type = 1, False, 1
        params.type_k = params.type_v = getattr(llama, f"GGML_TYPE_{cache_type}")
        native.forget_complaints()
        with native.overheard() as lines:
            made = llama.llama_init_from_model(self._model, params)
        if not made:
            raise UnsupportedError(f"{self._path} cannot be run by edgekit: {native.complaints()}")
        llama.llama_free(made)
        said = "".join(lines)
        return Buffers(*(_bytes(pattern, said) for pattern in (_CACHE, _COMPUTE, _OUTPUT)))

    def close(self) -> None:
        """Give the model's tables back."""
        llama.llama_model_free(self._model)


@contextmanager
def dry_run(header: Header) -> Iterator[DryRun]:
    """Look through a file whose header was checked; FileError where llama.cpp knows no such model."""
    run = DryRun(header)
    try:
        yield run
    finally:
        run.close()


def _bytes(pattern: re.Pattern[str], said: str) -> int:
    return round(sum(float(size) for size in pattern.findall(said)) * _MIB)
