"""A llama_context, made as a plan says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgekit.engine import native
from edgekit.engine.native import StopFlag, llama
from edgekit.errors import DoesNotFitError

if TYPE_CHECKING:
    from edgekit.fit.plan import Plan


def open_context(plan: Plan, model: int, *, threads: int, stop: StopFlag) -> int:
    """Return a new context of one sequence, which `stop` interrupts; DoesNotFitError where it cannot be made."""
    params = llama.llama_context_default_params()
    params.n_ctx, params.n_batch, params.n_ubatch, params.n_seq_max = plan.context, plan.batch, plan.ubatch, 1
    # Only the logits of the last token and of guesses are read: a row of 262,144 for each token of a batch costs
    # half a gigabyte.
    params.n_outputs_max = plan.outputs
    params.n_threads, params.n_threads_batch = threads, plan.batch_threads or threads
    params.swa_full = False
    # llama.cpp's own clock, which `edgekit bench` reads.
    params.no_perf = False
    params.flash_attn_type = int(plan.flash_attention)
    params.type_k = getattr(llama, f"GGML_TYPE_{plan.cache_type_k}")
    params.type_v = getattr(llama, f"GGML_TYPE_{plan.cache_type_v}")
    params.abort_callback, params.abort_callback_data = stop.callback, stop.data
    native.forget_complaints()
    context: int | None = llama.llama_init_from_model(model, params)
    if not context:
        raise DoesNotFitError(f"a context of {plan.context} tokens cannot be made: {native.complaints()}")
    return context
