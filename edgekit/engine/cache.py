"""What the model has read: llama.cpp's context, and a record of which tokens are in it."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from edgekit.engine import native
from edgekit.engine.checkpoints import Checkpoint, Checkpoints
from edgekit.engine.context import open_context
from edgekit.engine.native import ABORTED, StopFlag, StoppedError, llama
from edgekit.engine.projector import MediaInput
from edgekit.engine.prompt import Encode, Entry, Prompt, batches, entries
from edgekit.errors import EdgekitError, UnsupportedError

if TYPE_CHECKING:
    from pathlib import Path

    from edgekit.fit.plan import Plan


class Cache:
    """A llama_context of one sequence; computes nothing twice where the sliding windows allow it."""

    def __init__(self, plan: Plan, model: int, *, threads: int, causal_pictures: bool) -> None:
        self.stop = StopFlag()
        # A number to llama.cpp; None once it is closed.
        self.context: Any = open_context(plan, model, threads=threads, stop=self.stop)
        # llama.cpp rounds the context up to whole pages of 256, but keeps a batch within what was asked for.
        self.size: int = min(plan.context, llama.llama_n_ctx(self.context))
        self._batch: int = min(plan.batch, llama.llama_n_batch(self.context))
        self._causal_pictures = causal_pictures
        self._memory = llama.llama_get_memory(self.context)
        self._window: int = llama.llama_model_n_swa(model)
        # What has neither windows nor a running state can be cut anywhere.
        self._takes_checkpoints = bool(
            self._window or llama.llama_model_is_recurrent(model) or llama.llama_model_is_hybrid(model)
        )
        self._entries: list[Entry] = []
        # Where the last entry was in the batch that computed it: its state can be asked for there.
        self.last_row = 0
        self._checkpoints = Checkpoints()
        # Made once: an answer is written token by token.
        self._one_token = (llama.llama_token * 1)()
        self._batch_of_one = llama.llama_batch_get_one(self._one_token, 1)

    def close(self) -> None:
        """Give the memory back; harmless when done twice."""
        if self.context:
            llama.llama_free(self.context)
            self.context = None

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def entries(self) -> list[Entry]:
        """Return what stands at each position."""
        return self._entries

    @property
    def room(self) -> int:
        """Return how many tokens more it can hold."""
        return self.size - len(self)

    def clear(self) -> None:
        """Forget everything."""
        llama.llama_memory_clear(self._memory, False)
        self._entries = []
        self._checkpoints.clear()

    def keep_common(self, wanted: list[Entry]) -> int:
        """Go back to the longest usable common beginning with `wanted`; returns its length.

        At least the last entry is left to compute: it gives the logits. A sliding window cannot be cut at any place,
        since what it held before is overwritten sooner or later: then a checkpoint before that place is gone on from.
        """
        common = 0
        for mine, theirs in zip(self._entries, wanted[:-1], strict=False):
            if mine != theirs:
                break
            common += 1
        if common < len(self) and not self._cut(common):
            self._fall_back(common)
        return len(self)

    def read(self, prompt: Prompt, done: int, encode: Encode) -> Iterator[int]:
        """Compute a prompt from position `done` on; yields how many positions are done after each batch.

        Checkpoints are kept where it begins and where it ends: there a question may be asked anew, and an answer begin
        again. Raises StoppedError, after which what was computed so far is kept.
        """
        if done:
            self._keep_checkpoint()
        for batch in batches(prompt, done, self._batch):
            status = self._put_media(batch, encode) if isinstance(batch, MediaInput) else self._put(batch)
            self._settle(status, batch)
            yield len(self)
        self._keep_checkpoint()

    def _keep_checkpoint(self) -> None:
        if not self._takes_checkpoints:
            return
        # Together they take no more than the cache of the sliding layers itself: a window, and room for a batch.
        in_window = min(len(self), self._window) or 1
        self._checkpoints.keep(self.context, len(self), (self._window + self._batch) / in_window)

    def append(self, token: int) -> None:
        """Compute one token more; raises StoppedError, after which the cache is as it was."""
        self._one_token[0] = token
        status = llama.llama_decode(self.context, self._batch_of_one)
        if status:
            self._settle(status, [token])
        self._entries.append(token)
        self.last_row = 0

    def append_with_guesses(self, token: int, guesses: list[int]) -> None:
        """Compute one token more, and guesses of what follows it, with the logits after each; like `append`."""
        tokens = [token, *guesses]
        self._settle(self._put(tokens, every_output=True), tokens)

    def drop_last(self, count: int) -> None:
        """Forget the last `count` tokens of those appended at once."""
        # llama.cpp overwrites only what was outside the windows before they came.
        if count and not self._cut(len(self) - count):
            raise EdgekitError("llama.cpp cannot take back what was guessed")
        self.last_row -= count

    def remember(self) -> Checkpoint:
        """Return the present end as a place to go back to."""
        return Checkpoint.take(self.context, len(self))

    def go_back(self, to: Checkpoint) -> None:
        """Forget what came after a place that was remembered; everything where llama.cpp cannot."""
        if to.restore(self.context):
            self._forget_after(to.length)
        else:
            self.clear()

    def state_bytes(self) -> int:
        """Return how large the whole state is on disk."""
        size: int = llama.llama_state_seq_get_size_ext(self.context, 0, llama.LLAMA_STATE_SEQ_FLAGS_NONE)
        return size

    def write_state(self, path: Path) -> bool:
        """Write the whole state to a file; returns whether llama.cpp could."""
        none = (llama.llama_token * 1)()
        return bool(llama.llama_state_seq_save_file(self.context, os.fsencode(path), 0, none, 0))

    def read_state(self, path: Path, entries: Sequence[Entry]) -> bool:
        """Take over a whole state, of these entries, from a file to be trusted; returns whether llama.cpp could."""
        none, count = (llama.llama_token * 1)(), ctypes.c_size_t()
        self.clear()
        if not llama.llama_state_seq_load_file(self.context, os.fsencode(path), 0, none, 1, ctypes.byref(count)):
            self.clear()
            return False
        self._entries = list(entries)
        return True

    def _cut(self, length: int) -> bool:
        """Forget what is from `length` on, where the sliding windows still hold what is before it."""
        oldest = llama.llama_memory_seq_pos_min(self._memory, 0)
        if oldest > max(0, length - self._window + 1) or not llama.llama_memory_seq_rm(self._memory, 0, length, -1):
            return False
        self._forget_after(length)
        return True

    def _fall_back(self, length: int) -> None:
        # The windows of a checkpoint hold what its last entry needs, too: that one can be computed again.
        checkpoint = self._checkpoints.latest(length + 1)
        if not checkpoint:
            self.clear()
            return
        self.go_back(checkpoint)
        if len(self) > length and not self._cut(length):
            self.clear()

    def _forget_after(self, length: int) -> None:
        del self._entries[length:]
        self._checkpoints.forget_after(length)

    def _put(self, tokens: list[int], *, every_output: bool = False) -> int:
        count = len(tokens)
        # The batch holds no more than the arrays' addresses: the names keep them alive.
        array = (llama.llama_token * count)(*tokens)
        batch = llama.llama_batch_get_one(array, count)
        if every_output:
            wanted = (ctypes.c_int8 * count)(*[1] * count)
            batch.logits = wanted
        status: int = llama.llama_decode(self.context, batch)
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
            self.last_row = 0 if isinstance(batch, MediaInput) else len(batch) - 1
            return
        # Parts of the batch may be in llama.cpp's memory, out of step with our record.
        if not self._cut(len(self)):
            self._fall_back(len(self))
        if status == ABORTED:
            raise StoppedError
        raise EdgekitError(f"llama.cpp could not compute (status {status}): {native.complaints()}")
