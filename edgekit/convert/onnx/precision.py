"""The precisions that an ONNX graph is written in, by the names that transformers.js has for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from edgekit.engine.onnx.folder import SUFFIXES
from edgekit.errors import UnsupportedError

Bits = Literal[4, 8, 16, 32]


@dataclass(frozen=True)
class Precision:
    """How the weights of a graph are stored and what it computes with."""

    name: str
    # Matrices of the decoder, the token embeddings and the output matrix, the embeddings per layer, encoders.
    body: Bits
    embeddings: Bits
    per_layer: Bits
    encoders: Bits
    # Whether it computes in float16.
    half: bool = False

    @property
    def suffix(self) -> str:
        """What stands behind a graph's name in its file's name."""
        return SUFFIXES[self.name]

    @property
    def dtype(self) -> npt.DTypeLike:
        """What it computes with, and stores norms and scales in."""
        return np.float16 if self.half else np.float32


PRECISIONS = {
    made.name: made
    for made in (
        Precision("fp32", 32, 32, 32, 32),
        Precision("fp16", 16, 16, 16, 16, half=True),
        Precision("int8", 8, 8, 8, 8),
        Precision("q4", 4, 8, 4, 8),
        Precision("q4f16", 4, 8, 4, 8, half=True),
    )
}


def check_precision(name: str) -> str:
    """Return a precision's own spelling; raises UnsupportedError for one that is not made."""
    found = name.lower()
    if found not in PRECISIONS:
        raise UnsupportedError(f"{name} is no precision of an ONNX graph: choose {', '.join(PRECISIONS)}")
    return found
