"""What a conversion writes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["text", "projector", "drafter", "checkpoint", "onnx", "modelfile", "page"]


@dataclass(frozen=True)
class Output:
    """A file that a conversion wrote, or would write: then its digest is empty."""

    path: Path
    kind: Kind
    quantization: str | None
    bytes: int
    sha256: str = ""


def models(outputs: Iterable[Output]) -> list[Output]:
    """Return the file to open of each quantization of the model: of one in parts, the first."""
    found: dict[str | None, Output] = {}
    for output in outputs:
        if output.kind == "text":
            found.setdefault(output.quantization, output)
    return list(found.values())
