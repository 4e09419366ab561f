"""Places that the cache can go back to: what the sliding windows held there."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

from edgekit.engine.native import llama

# llama.cpp's own server keeps 32 and has filled the memory of small boards with them (ggml-org/llama.cpp issue 21690).
MOST = 16


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The windows behind the first `length` entries of a cache."""

    length: int
    window: Any

    @classmethod
    def take(cls, context: int, length: int) -> Checkpoint:
        """Copy the windows of a context that holds `length` entries."""
        size = _size(context)
        window = (ctypes.c_uint8 * size)()
        llama.llama_state_seq_get_data_ext(context, window, size, 0, llama.LLAMA_STATE_SEQ_FLAGS_SWA_ONLY)
        return cls(length, window)

    def restore(self, context: int) -> bool:
        """Put the windows back; returns whether llama.cpp could."""
        flags, memory = llama.LLAMA_STATE_SEQ_FLAGS_SWA_ONLY, llama.llama_get_memory(context)
        done = llama.llama_state_seq_set_data_ext(context, self.window, len(self.window), 0, flags)
        return bool(done) and bool(llama.llama_memory_seq_rm(memory, 0, self.length, -1))


def _size(context: int) -> int:
    size: int = llama.llama_state_seq_get_size_ext(context, 0, llama.LLAMA_STATE_SEQ_FLAGS_SWA_ONLY)
    return size


class Checkpoints:
    """The checkpoints of one conversation, by their length, within a bound of memory."""

    def __init__(self) -> None:
        self._kept: list[Checkpoint] = []

    def keep(self, context: int, length: int, copies: float) -> None:
        """Keep the present state of a context that holds `length` entries; forgets others where room is short.

        There is room for so many `copies` of the present one, and for one in any case.
        """
        if any(kept.length == length for kept in self._kept):
            return
        size = _size(context)
        while self._kept and (len(self._kept) >= MOST or self._bytes() + size > copies * size):
            del self._kept[self._least_useful()]
        self._kept.append(Checkpoint.take(context, length))

    def latest(self, length: int) -> Checkpoint | None:
        """Return the last one that is not after `length`."""
        return max((kept for kept in self._kept if kept.length <= length), key=lambda kept: kept.length, default=None)

    def forget_after(self, length: int) -> None:
        """Forget those after `length`: other entries will stand there."""
        self._kept = [kept for kept in self._kept if kept.length <= length]

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()

    def _bytes(self) -> int:
        return sum(len(kept.window) for kept in self._kept)

    def _least_useful(self) -> int:
        # The one without which the way back from anywhere grows least: its neighbours are closest.
        places = [0, *(kept.length for kept in self._kept)]
        gaps = [after - before for before, after in zip(places, places[2:], strict=False)]
        return gaps.index(min(gaps)) if gaps else 0
