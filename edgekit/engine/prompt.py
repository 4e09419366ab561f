"""A prompt as a model reads it: runs of tokens with media between them, in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from edgekit.engine.projector import MediaInput
from edgekit.errors import EdgekitError

if TYPE_CHECKING:
    import numpy as np

# A prompt: runs of tokens, and media between them.
Prompt = Sequence[list[int] | MediaInput]
# A medium to its embeddings, of shape (length, width of the model), float32.
Encode = Callable[[MediaInput], "np.ndarray[Any, Any]"]
# What stands at one position: a token, or the n-th embedding of a medium.
Entry = int | tuple[str, int]


def entries(prompt: Prompt) -> list[Entry]:
    """Return what stands at each position of a prompt."""
    out: list[Entry] = []
    for piece in prompt:
        out += [(piece.digest, index) for index in range(piece.length)] if isinstance(piece, MediaInput) else piece
    return out


def batches(prompt: Prompt, done: int, size: int) -> Iterator[list[int] | MediaInput]:
    """Yield what is left of a prompt from position `done` on: up to `size` tokens at once, and each medium whole."""
    tail = prompt[-1]
    if isinstance(tail, MediaInput) or not tail:
        raise EdgekitError("the chat template ends with a picture or a sound: edgekit cannot answer it")
    at = 0
    for piece in prompt:
        if isinstance(piece, MediaInput):
            if at >= done:
                yield piece
            at += piece.length
            continue
        rest = piece[max(done - at, 0) :]
        at += len(piece)
        for start in range(0, len(rest), size):
            yield rest[start : start + size]
