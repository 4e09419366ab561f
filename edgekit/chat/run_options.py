"""What a person says of how a model is to run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunOptions:
    """What is None is found or chosen."""

    # Of GGUF files.
    projector: Path | None = None
    drafter: Path | None = None
    # Tokens.
    context: int | None = None
    # Of a folder of ONNX files: which of them, what computes, and an adapter that was kept apart.
    precision: str | None = None
    provider: str | None = None
    adapter: Path | None = None
    # Whether it runs where it does not fit.
    force: bool = False

    def of_another_model(self) -> RunOptions:
        """Return what of it says something of any model."""
        return RunOptions(context=self.context, force=self.force)
