"""The MTP drafter: a small model that goes on from a model's last state and reads that model's own cache."""

from __future__ import annotations

import ctypes
import os
from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING, Any

from edgekit.engine import native
from edgekit.engine.native import llama
from edgekit.errors import DoesNotFitError, FileError

if TYPE_CHECKING:
    from edgekit.engine.cache import Cache
    from edgekit.engine.prompt import Entry
    from edgekit.fit.plan import Plan


class Drafter:
    """Guesses what follows a token, one token after the other (llama.cpp's common/speculative.cpp, draft-mtp)."""

    def __init__(self, plan: Plan, cache: Cache, *, threads: int) -> None:
        self._cache, self._resources = cache, ExitStack()
        try:
            self._model = _load(plan)
            self._resources.callback(llama.llama_model_free, self._model)
            self._context = _context(plan, self._model, cache, threads)
            self._resources.callback(llama.llama_free, self._context)
        except BaseException:
            self._resources.close()
            raise
        # The states of every token, as the logits are computed from them anyway: a prompt is computed as without.
        _nextn().llama_set_embeddings_nextn(cache.context, True, False)
        _nextn().llama_set_embeddings_nextn(self._context, True, True)
        # The width of the model, not of the drafter.
        self._width: int = llama.llama_model_n_embd_out(self._model)
        self._vocabulary: int = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(self._model))
        # The batch holds addresses only.
        self._token, self._position = (llama.llama_token * 1)(), (llama.llama_pos * 1)()
        self._state = (ctypes.c_float * self._width)()
        pointer = ctypes.cast(self._state, ctypes.POINTER(ctypes.c_float))
        self._batch = llama.llama_batch(n_tokens=1, token=self._token, embd=pointer, pos=self._position)

    def close(self) -> None:
        """Give the memory back; the model's context must still be there. Harmless when done twice."""
        self._resources.close()

    def follow(self, entries: list[Entry]) -> None:
        """Know what the cache holds: it reads that itself."""

    def add(self, token: int) -> None:
        """Take one more token: the cache has it."""

    def guess_after(self, token: int, most: int) -> list[int]:
        """Return `most` tokens that may come after one that is not in the cache yet."""
        guesses: list[int] = []
        state = _nextn().llama_get_embeddings_nextn_ith(self._cache.context, self._cache.last_row)
        # It was trained to stay at the place of the first token (transformers, gemma4_assistant.md).
        self._position[0] = len(self._cache)
        while state and len(guesses) < most:
            ctypes.memmove(self._state, state, ctypes.sizeof(self._state))
            self._token[0] = token
            if llama.llama_decode(self._context, self._batch):
                # Stopped: the model's own next step says so.
                break
            token = self._likeliest()
            guesses.append(token)
            state = _nextn().llama_get_embeddings_nextn_ith(self._context, 0)
        return guesses

    def _likeliest(self) -> int:
        import numpy as np

        logits = np.ctypeslib.as_array(llama.llama_get_logits_ith(self._context, 0), shape=(self._vocabulary,))
        return int(logits.argmax())


@cache
def _nextn() -> Any:  # noqa: ANN401 - ctypes
    # Functions of llama.cpp that its own header calls unstable: read only where there is a drafter.
    import llama_cpp.llama_cpp_ext as extension

    return extension


def _load(plan: Plan) -> int:
    assert plan.drafter
    params = llama.llama_model_default_params()
    params.n_gpu_layers = -1 if plan.gpu_layers else 0
    if plan.gpu_layers and plan.gpus == 1:
        params.split_mode = llama.LLAMA_SPLIT_MODE_NONE
    # One token at a time gains nothing from the second copy.
    params.use_extra_bufts = False
    native.forget_complaints()
    model: int | None = llama.llama_model_load_from_file(os.fsencode(plan.drafter), params)
    if not model:
        raise FileError(f"cannot load {plan.drafter}: {native.complaints()}")
    return model


def _context(plan: Plan, model: int, cache: Cache, threads: int) -> int:
    params = llama.llama_context_default_params()
    params.n_ctx, params.n_batch, params.n_ubatch, params.n_seq_max = plan.context, 1, 1, 1
    params.n_outputs_max, params.swa_full = 1, False
    params.n_threads = params.n_threads_batch = threads
    params.flash_attn_type = int(plan.flash_attention)
    params.type_k = getattr(llama, f"GGML_TYPE_{plan.cache_type_k}")
    params.type_v = getattr(llama, f"GGML_TYPE_{plan.cache_type_v}")
    params.abort_callback, params.abort_callback_data = cache.stop.callback, cache.stop.data
    params.ctx_other, params.ctx_type = cache.context, llama.LLAMA_CONTEXT_TYPE_MTP
    native.forget_complaints()
    made: int | None = llama.llama_init_from_model(model, params)
    if not made:
        raise DoesNotFitError(f"{plan.drafter} cannot be run beside its model: {native.complaints()}")
    return made
