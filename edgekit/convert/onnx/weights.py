"""The weights of a checkpoint by their plain names, as tensors to be written."""

from __future__ import annotations

from collections.abc import Callable

from edgekit.convert.checkpoint import Checkpoint
from edgekit.convert.names import plain_name
from edgekit.convert.plan import TensorPlan
from edgekit.convert.safetensors import Floats


class Weights:
    """What a model's graphs are made from; `used` collects the names of the weights that were asked for."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._weights = {plain_name(name): weight for name, weight in checkpoint.weights.items()}
        self.used: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._weights

    def plan(
        self,
        name: str,
        called: str | None = None,
        transform: Callable[[Floats], Floats] | None = None,
        *,
        unbounded: bool = False,
    ) -> TensorPlan:
        """Return a tensor, under another name in the graph where it is `called` one."""
        weight = self._weights[name]
        self.used.add(weight.name)
        return TensorPlan(called or name, weight.shape or (1,), weight, transform, unbounded=unbounded)
