"""A model in this process: llama.cpp through llama-cpp-python's C bindings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgekit.fit.plan import Plan


class Engine:
    """A loaded model with its cache and, where there is one, its projector.

    One thread at a time may use it.
    """

    @classmethod
    def open(cls, plan: Plan, on_progress: Callable[[float], None] | None = None) -> Engine:
        """Load what the plan names; `on_progress` hears fractions from 0 to 1.

        Raises FileError where a file is missing, damaged or of another model, and DoesNotFitError where memory ends.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Give the memory back; harmless when done twice."""
        raise NotImplementedError

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def plan(self) -> Plan:
        """Return the plan that was opened."""
        raise NotImplementedError

    @property
    def model_path(self) -> Path:
        """Return the file of the weights."""
        raise NotImplementedError

    @property
    def name(self) -> str:
        """Return what the file calls the model, or its file name."""
        raise NotImplementedError

    @property
    def description(self) -> str:
        """Return the architecture, size and quantization as llama.cpp says them."""
        raise NotImplementedError

    @property
    def context(self) -> int:
        """Return how many tokens the cache holds."""
        raise NotImplementedError

    @property
    def load_seconds(self) -> float:
        """Return how long loading took."""
        raise NotImplementedError

    @property
    def chat_template(self) -> str:
        """Return the Jinja template in the file."""
        raise NotImplementedError

    @property
    def takes_pictures(self) -> bool:
        """Return whether a projector with vision is loaded."""
        raise NotImplementedError

    @property
    def takes_sound(self) -> bool:
        """Return whether a projector with audio is loaded."""
        raise NotImplementedError

    @property
    def takes_thinking(self) -> bool:
        """Return whether the template can ask for a thought channel."""
        raise NotImplementedError
