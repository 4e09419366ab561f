"""Numbers in a header that cannot be: llama.cpp would end the process or compute for ever."""

from __future__ import annotations

import math

from edgekit.errors import FileError
from edgekit.gguf_header import Header

# LLAMA_MAX_LAYERS.
_MOST_BLOCKS = 512


def check_numbers(header: Header) -> None:
    """Refuse what is no number, and the epsilons below zero that ggml ends the process for."""
    for key, value in header.keys.items():
        if isinstance(value, float) and (not math.isfinite(value) or (value < 0 and key.endswith("epsilon"))):
            raise impossible(header, key, value)


def check_blocks(header: Header, key: str, prefix: str) -> int:
    """Return how many blocks a header announces; FileError where the file has not just as many."""
    count = header.keys.get(key)
    found = {name[len(prefix) :].partition(".")[0] for name in header.tensors if name.startswith(prefix)}
    if not isinstance(count, int) or count > _MOST_BLOCKS or count != len(found):
        raise impossible(header, key, count)
    return count


def impossible(header: Header, key: str, value: object) -> FileError:
    """Return the error for a value that no working file has."""
    return FileError(f"{header.path} is damaged: {key} cannot be {value}; download or convert it again")
