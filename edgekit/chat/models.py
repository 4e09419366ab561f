"""From what a person calls a model to the plan that runs it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from edgekit.fit.plan import Plan


class Step(Protocol):
    """Hears how far the conversion of the bundled model has come."""

    def __call__(self, done: float, total: float, text: str = "") -> None:
        """Show that `done` of `total` is finished."""


def find_plan(
    name: str,
    *,
    projector: Path | None = None,
    context: int | None = None,
    progress: Step | None = None,
) -> Plan:
    """Return the plan for a GGUF file, a catalog name or `demo`; never goes to the network.

    `name` is a path to a GGUF (its projector `mmproj-*.gguf` is found beside it), `VARIANT:QUANTIZATION` as in
    `gemma-4-E2B-it:Q4_0` when it lies in the local Hugging Face cache, `demo` for the bundled model or `demo:french`
    for it with its French adapter: both are converted on first use, which `progress` reports. Raises FileError or
    UnsupportedError with what to do.
    """
    raise NotImplementedError
