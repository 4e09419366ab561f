"""A safetensors file as a merge writes it again: with its own header, or one for tensors that it did not have."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from edgekit.convert.checkpoint import Weight
from edgekit.convert.safetensors import SafetensorsFile

# Of where the tensors begin, as the safetensors library has it.
_ALIGNMENT = 8


class Shard:
    """A file and the weights that are to stand in it: its own in the order of the file, then what is added."""

    def __init__(self, file: SafetensorsFile, weights: Iterable[Weight]) -> None:
        self.file = file
        listed = sorted((weight for weight in weights if weight.file is file), key=lambda weight: weight.begin)
        self.own = [weight for weight in listed if weight.stored is None]
        self.added = [weight for weight in listed if weight.stored is not None]

    @property
    def keeps_header(self) -> bool:
        """Whether it holds the tensors that it held, in their shapes."""
        return not self.added and all(weight.grown is None for weight in self.own)

    @property
    def data_start(self) -> int:
        """Where the first tensor begins in the file as it is."""
        return self.own[0].begin

    @cached_property
    def header(self) -> bytes:
        """A new header, with its length in front."""
        entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
        end = 0
        for weight in (*self.own, *self.added):
            begin, end = end, end + weight.bytes_written
            entries[weight.name] = {"dtype": weight.dtype, "shape": list(weight.shape), "data_offsets": [begin, end]}
        text = json.dumps(entries, separators=(",", ":")).encode()
        text += b" " * (-len(text) % _ALIGNMENT)
        return len(text).to_bytes(8, "little") + text

    @property
    def bytes(self) -> int:
        """How large the file becomes."""
        if self.keeps_header:
            return self.file.bytes
        return len(self.header) + sum(weight.bytes_written for weight in (*self.own, *self.added))
