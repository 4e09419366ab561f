"""Loads weights through llama.cpp, with progress."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from edgekit.engine import native
from edgekit.engine.native import llama
from edgekit.errors import FileError

if TYPE_CHECKING:
    from edgekit.fit.plan import Plan

# Hears fractions from 0 to 1.
OnProgress = Callable[[float], None]


def shares(plan: Plan, on_progress: OnProgress | None) -> tuple[OnProgress | None, OnProgress | None]:
    """Part progress between the model and its projector, by their sizes."""
    if not on_progress or not plan.projector:
        return on_progress, None
    model, projector = plan.model.stat().st_size, plan.projector.stat().st_size
    share = model / (model + projector)
    return lambda done: on_progress(done * share), lambda done: on_progress(share + done * (1 - share))


def load_model(plan: Plan, on_progress: OnProgress | None) -> int:
    """Load the weights that a plan names; return llama.cpp's handle, which the caller frees."""
    params = llama.llama_model_default_params()
    params.n_gpu_layers = plan.gpu_layers
    if plan.gpu_layers and plan.gpus == 1:
        # Left alone, llama.cpp splits over every accelerator, and E2B and E4B end it (ggml-org/llama.cpp issue 21730).
        params.split_mode = llama.LLAMA_SPLIT_MODE_NONE
    params.use_extra_bufts = plan.repack

    progress = native.Progress(on_progress)
    params.progress_callback = llama.llama_progress_callback(progress.hear)
    native.forget_complaints()
    model: int | None = llama.llama_model_load_from_file(os.fsencode(plan.model), params)
    try:
        progress.raise_again()
    except BaseException:
        if model:
            llama.llama_model_free(model)
        raise
    if not model:
        raise FileError(f"cannot load {plan.model}: {native.complaints()}")
    return model
