"""What a conversion writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["text", "projector", "drafter", "checkpoint", "onnx", "modelfile"]


@dataclass(frozen=True)
class Output:
    """A file that a conversion wrote, or would write: then its digest is empty."""

    path: Path
    kind: Kind
    quantization: str | None
    bytes: int
    sha256: str = ""
