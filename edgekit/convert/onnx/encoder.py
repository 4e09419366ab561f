"""What the vision and the audio encoder have in common: clipped matrices, norms and the way into the language model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekit.convert.onnx.graph import Graph
from edgekit.convert.onnx.matrices import linear, norm
from edgekit.convert.onnx.weights import Weights


@dataclass(frozen=True)
class Encoder:
    """Building blocks of an encoder whose tensors' plain names begin with a prefix."""

    graph: Graph
    weights: Weights
    prefix: str
    epsilon: float

    def linear(self, value: str, name: str) -> str:
        """Multiply rows with a matrix, whose input and output are clipped where the checkpoint has bounds."""
        clipped = self._clip(value, name, "input")
        plan = self.weights.plan(f"{self.prefix}{name}.weight")
        made = linear(self.graph, clipped, plan, self.graph.precision.encoders, f"/{self.prefix}{name}/MatMul")
        return self._clip(made, name, "output")

    def norm(self, value: str, name: str) -> str:
        """Divide by the root mean square of the last dimension, then multiply with the tensor of a name."""
        scale = self.graph.tensor(self.weights.plan(f"{self.prefix}{name}.weight"))
        return norm(self.graph, value, scale, self.epsilon, f"/{self.prefix}{name}")

    def plain_norm(self, value: str, width: int, name: str) -> str:
        """Divide by the root mean square of the last dimension."""
        return norm(self.graph, value, self.graph.constant(np.ones(width)), self.epsilon, f"/{self.prefix}{name}")

    def into_text(self, value: str, width: int, name: str) -> str:
        """Return features of shape (tokens, width) as embeddings of the language model, both in float32."""
        ones = self.graph.constant(np.ones(width))
        normed = norm(self.graph, value, ones, self.epsilon, f"/{name}/norm", single=True)
        plan = self.weights.plan(f"{name}.embedding_projection.weight")
        return self.graph.to_float32(linear(self.graph, normed, plan, self.graph.precision.encoders, f"/{name}/MatMul"))

    def _clip(self, value: str, name: str, side: str) -> str:
        bounds = [f"{self.prefix}{name}.{side}_{end}" for end in ("min", "max")]
        if not all(bound in self.weights for bound in bounds):
            return value
        ends = [self.graph.scalar(self.weights.plan(bound, unbounded=True)) for bound in bounds]
        return self.graph.op("Clip", [value, *ends])
