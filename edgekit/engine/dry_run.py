"""What llama.cpp does with a file without its weights: whether it takes it, and how much memory a context asks for."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from edgekit.engine import native
from edgekit.engine.native import llama
from edgekit.errors import FileError, UnsupportedError
from edgekit.fit.buffers import Buffers
from edgekit.fit.settings import Settings

_MIB = 1 << 20
# llama.cpp's log is the only place where C can read these numbers, to a hundredth of a MiB.
_CACHE = re.compile(r"size =\s*([\d.]+) MiB \(")
_COMPUTE = re.compile(r"compute buffer size =\s*([\d.]+) MiB")
_OUTPUT = re.compile(r"output buffer size =\s*([\d.]+) MiB")


class Tried(NamedTuple):
    """A context without memory, and what it would take."""

    context: int
    buffers: Buffers


class DryRun:
    """A file that llama.cpp has looked through but not loaded; contexts can be tried on it.

    Native code may end the process: only the process that edgekit/engine/trial.py starts does this.
    """

    def __init__(self, path: Path, *, repack: bool) -> None:
        native.forget_complaints()
        params = llama.llama_model_default_params()
        # A dry run asserts under mmap.
        params.no_alloc, params.load_mode, params.use_extra_bufts = True, llama.LLAMA_LOAD_MODE_NONE, repack
        params.n_gpu_layers = 0
        self.model: Any = llama.llama_model_load_from_file(os.fsencode(path), params)
        if not self.model:
            raise FileError(f"cannot load {path}: {native.complaints()}")
        self._path = path

    @contextmanager
    def context(self, settings: Settings, target: int | None = None) -> Iterator[Tried]:
        """Make a context of one sequence, for a drafter beside its target's; UnsupportedError where there is none."""
        params = llama.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = settings.context, settings.batch, settings.ubatch
        params.n_seq_max, params.n_outputs_max, params.swa_full = 1, settings.outputs, False
        params.flash_attn_type = int(settings.flash_attention)
        params.type_k = getattr(llama, f"GGML_TYPE_{settings.cache_type_k}")
        params.type_v = getattr(llama, f"GGML_TYPE_{settings.cache_type_v}")
        if target:
            params.ctx_other, params.ctx_type = target, llama.LLAMA_CONTEXT_TYPE_MTP
        native.forget_complaints()
        with native.overheard() as lines:
            made = llama.llama_init_from_model(self.model, params)
        if not made:
            raise UnsupportedError(f"{self._path} cannot be run by edgekit: {native.complaints()}")
        said = "".join(lines)
        try:
            yield Tried(made, Buffers(*(_bytes(pattern, said) for pattern in (_CACHE, _COMPUTE, _OUTPUT))))
        finally:
            llama.llama_free(made)

    def close(self) -> None:
        """Give the model's tables back."""
        llama.llama_model_free(self.model)


@contextmanager
def dry_run(path: Path, *, repack: bool = False) -> Iterator[DryRun]:
    """Look through a file whose header was checked; FileError where llama.cpp knows no such model."""
    run = DryRun(path, repack=repack)
    try:
        yield run
    finally:
        run.close()


def _bytes(pattern: re.Pattern[str], said: str) -> int:
    return round(sum(float(size) for size in pattern.findall(said)) * _MIB)
