"""Numbers in a header that cannot be: llama.cpp would end the process or compute for ever."""

from __future__ import annotations

import math

from gguf import GGMLQuantizationType as Type

from edgekit.errors import FileError
from edgekit.gguf_header import Header

# LLAMA_MAX_LAYERS.
_MOST_BLOCKS = 512
# ggml has no arithmetic for them: it ends the process, or follows a null pointer.
_NO_WEIGHTS = frozenset({Type.Q8_1, Type.Q8_K, Type.I8, Type.I16, Type.I32, Type.I64, Type.F64})
# A drafter's numbers of clusters, which llama.cpp reads and leaves out.
_NUMBERS = "mask_embd"


def check_numbers(header: Header) -> None:
    """Refuse what is no number, and the epsilons below zero that ggml ends the process for."""
    for key, value in header.keys.items():
        if isinstance(value, float) and (not math.isfinite(value) or (value < 0 and key.endswith("epsilon"))):
            raise impossible(header, key, value)


def check_types(header: Header) -> None:
    """Refuse tensors of types that ggml cannot compute with: norms and biases are F32 in every file that works."""
    for tensor in header.tensors.values():
        is_vector = len(tensor.shape) == 1
        if tensor.type in _NO_WEIGHTS and not tensor.name.startswith(_NUMBERS):
            raise impossible(header, tensor.name, f"of type {tensor.type.name}")
        if is_vector and tensor.type != Type.F32 and not tensor.name.startswith(_NUMBERS):
            raise impossible(header, tensor.name, f"a row of type {tensor.type.name}")


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
