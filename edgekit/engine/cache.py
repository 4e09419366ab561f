"""What the model has read: llama.cpp's context, and a record of which tokens are in it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgekit.engine import native
from edgekit.engine.native import StopFlag, llama
from edgekit.engine.projector import MediaInput
from edgekit.errors import DoesNotFitError, EdgekitError, UnsupportedError

if TYPE_CHECKING:
    import numpy as np

    from edgekit.fit.plan import Plan

# A prompt: runs of tokens, and media between them.
Prompt = Sequence[list[int] | MediaInput]
# A medium to its embeddings, of shape (length, width of the model), float32.
Encode = Callable[[MediaInput], "np.ndarray[Any, Any]"]
# What stands at one position: a token, or the n-th embedding of a medium.
Entry = int | tuple[str, int]

_ABORTED = 2


class StoppedError(Exception):
    """A computation ended because the stop flag was set."""


@dataclass(frozen=True)
class Checkpoint:
    """A place that the cache can go back to: what the sliding windows held there."""

    length: int
    window: Any


def entries(prompt: Prompt) -> list[Entry]:
    """Return what stands at each position of a prompt."""
    out: list[Entry] = []
    for piece in prompt:
        out += [(piece.digest, index) for index in range(piece.length)] if isinstance(piece, MediaInput) else piece
    return out


class Cache:
    """A llama_context of one sequence; computes nothing twice where the sliding windows allow it."""

    def __init__(self, plan: Plan, model: int, *, threads: int, causal_pictures: bool) -> None:
        params = llama.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch, params.n_seq_max = plan.context, plan.batch, plan.ubatch, 1
        # Only the last token's logits are read: a row of 262,144 for each token of a batch costs half a gigabyte.
        params.n_outputs_max = 1
        params.n_threads, params.n_threads_batch = threads, plan.batch_threads or threads
        params.swa_full = False
        # llama.cpp's own clock, which `edgekit bench` reads.
        params.no_perf = False
        params.flash_attn_type = int(plan.flash_attention)
        params.type_k = getattr(llama, f"GGML_TYPE_{plan.cache_type_k}")
        params.type_v = getattr(llama, f"GGML_TYPE_{plan.cache_type_v}")
        self.stop = StopFlag()
        params.abort_callback, params.abort_callback_data = self.stop.callback, self.stop.data
        native.forget_complaints()
        self.context = llama.llama_init_from_model(model, params)
        if not self.context:
            raise DoesNotFitError(f"a context of {plan.context} tokens cannot be made: {native.complaints()}")
        # llama.cpp rounds the context up to whole pages of 256, but keeps a batch within what was asked for.
        self.size: int = min(plan.context, llama.llama_n_ctx(self.context))
        self._batch: int = min(plan.batch, llama.llama_n_batch(self.context))
        self._causal_pictures = causal_pictures
        self._memory = llama.llama_get_memory(self.context)
        self._entries: list[Entry] = []
        self._checkpoint: Checkpoint | None = None

    def close(self) -> None:
        """Give the memory back; harmless when done twice."""
        if self.context:
            llama.llama_free(self.context)
            self.context = None

    def __len__(self) -> int:
        return len(self._entries)

    def clear(self) -> None:
        """Forget everything."""
        llama.llama_memory_clear(self._memory, False)
        self._entries, self._checkpoint = [], None

    def keep_common(self, wanted: list[Entry]) -> int:
        """Go back to the longest usable common beginning with `wanted`; returns its length.

        At least the last entry is left to compute: it gives the logits. A sliding window cannot be cut at any place,
        since what it held before is overwritten: only its end and the one checkpoint are places to go on from.
        """
        common = 0
        for mine, theirs in zip(self._entries, wanted[:-1], strict=False):
            if mine != theirs:
                break
            common += 1
        if common == len(self._entries):
            return common
        if self._checkpoint and self._checkpoint.length <= common:
            self.go_back(self._checkpoint)
        else:
            self.clear()
        return len(self._entries)

    def read(self, prompt: Prompt, done: int, encode: Encode) -> Iterator[int]:
        """Compute a prompt from position `done` on; yields how many positions are done after each batch.

        Raises StoppedError, after which the cache is empty.
        """
        last = len(entries(prompt)) - 1
        for batch in _batches(prompt, done, self._batch):
            if len(self) == last:
                self._checkpoint = self.remember()
            status = self._put_media(batch, encode) if isinstance(batch, MediaInput) else self._put(batch)
            self._settle(status, batch)
            yield len(self)

    def append(self, token: int) -> None:
        """Compute one token more; StoppedError empties the cache."""
        self._settle(self._put([token]), [token])

    def remember(self) -> Checkpoint:
        """Return the present end as a place to go back to."""
        only_windows = llama.LLAMA_STATE_SEQ_FLAGS_SWA_ONLY
        size = llama.llama_state_seq_get_size_ext(self.context, 0, only_windows)
        window = (ctypes.c_uint8 * size)()
        llama.llama_state_seq_get_data_ext(self.context, window, size, 0, only_windows)
        return Checkpoint(len(self), window)

    def go_back(self, to: Checkpoint) -> None:
        """Forget what came after a place that was remembered; everything where llama.cpp cannot."""
        only_windows = llama.LLAMA_STATE_SEQ_FLAGS_SWA_ONLY
        done = llama.llama_state_seq_set_data_ext(self.context, to.window, len(to.window), 0, only_windows)
        if done and llama.llama_memory_seq_rm(self._memory, 0, to.length, -1):
            del self._entries[to.length :]
        else:
            self.clear()

    def _put(self, tokens: list[int]) -> int:
        # The batch holds no more than the array's address: the name keeps it alive.
        array = (llama.llama_token * len(tokens))(*tokens)
        status: int = llama.llama_decode(self.context, llama.llama_batch_get_one(array, len(tokens)))
        return status

    def _put_media(self, media: MediaInput, encode: Encode) -> int:
        both_ways = media.kind == "image" and not self._causal_pictures
        if both_ways and media.length > self._batch:
            raise UnsupportedError(
                f"this model reads a picture in one piece of {media.length} tokens, but a batch holds {self._batch}: "
                "use fewer image tokens"
            )
        embeddings, status = encode(media), 0
        llama.llama_set_causal_attn(self.context, not both_ways)
        for start in range(0, media.length, self._batch):
            rows = embeddings[start : start + self._batch]
            pointer = rows.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
            # Positions and sequence follow from the memory, as for tokens.
            status = status or llama.llama_decode(self.context, llama.llama_batch(n_tokens=len(rows), embd=pointer))
        llama.llama_set_causal_attn(self.context, True)
        return status

    def _settle(self, status: int, batch: list[int] | MediaInput) -> None:
        if status == 0:
            self._entries += entries([batch])
            return
        # What was half computed stays in llama.cpp's memory, out of step with our record.
        self.clear()
        if status == _ABORTED:
            raise StoppedError
        raise EdgekitError(f"llama.cpp could not compute (status {status}): {native.complaints()}")


def _batches(prompt: Prompt, done: int, size: int) -> Iterator[list[int] | MediaInput]:
    *head, tail = prompt
    if isinstance(tail, MediaInput) or not tail:
        raise EdgekitError("the chat template ends with a picture or a sound: edgekit cannot answer it")
    at = 0
    # The last token alone, behind the checkpoint: its logits can be had again without computing anything else.
    for piece in (*head, tail[:-1], tail[-1:]):
        if isinstance(piece, MediaInput):
            if at >= done:
                yield piece
            at += piece.length
            continue
        rest = piece[max(done - at, 0) :]
        at += len(piece)
        for start in range(0, len(rest), size):
            yield rest[start : start + size]
