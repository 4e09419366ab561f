"""How positions are rotated into queries and keys, computed for the tokens at hand: a table for all would be large."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from edgekit.convert.gemma4.layers import Layers
from edgekit.convert.onnx.graph import MICROSOFT, Graph
from edgekit.convert.onnx.tokens import Tokens
from edgekit.convert.safetensors import Floats


@dataclass(frozen=True)
class Rotation:
    """Angles of tokens, of shape (batch, sequence, head / 2) in float32."""

    angles: str
    head: int
    cosines: str
    sines: str
    # Which row of the cosines belongs to which token.
    rows: str

    @classmethod
    def of(cls, graph: Graph, angles: str, head: int, tokens: Tokens) -> Rotation:
        """Return the rotation by angles."""
        flat = graph.op("Reshape", [angles, graph.int64([-1, head // 2])])
        cosines, sines = (graph.to_dtype(graph.op(kind, [flat])) for kind in ("Cos", "Sin"))
        count = graph.op("ReduceProd", [tokens.shape], keepdims=0)
        numbers = graph.op("Range", [graph.int64(0), count, graph.int64(1)])
        return cls(angles, head, cosines, sines, graph.op("Reshape", [numbers, tokens.shape]))

    def last(self, graph: Graph, tokens: Tokens) -> Rotation:
        """Return the rotation of the last tokens."""
        return Rotation.of(graph, tokens.slice(self.angles), self.head, tokens)

    def apply(self, graph: Graph, value: str, name: str) -> str:
        """Rotate heads of shape (batch, sequence, heads * head)."""
        return graph.op(
            f"{MICROSOFT}.RotaryEmbedding", [value, self.rows, self.cosines, self.sines], name, interleaved=0
        )


def rotations(graph: Graph, layers: Layers, mask: str, tokens: Tokens) -> dict[bool, Rotation]:
    """Return the rotation of layers that look back to the window, and that of layers that look back all the way."""
    ordinal = graph.op("Sub", [graph.op("CumSum", [mask, graph.int64(1)]), graph.int64(1)])
    positions = graph.op("Cast", [tokens.slice(ordinal)], to=TensorProto.FLOAT)
    positions = graph.op("Unsqueeze", [positions, graph.int64([-1])])
    made = {}
    for sliding in dict.fromkeys(layers.sliding):
        frequencies = graph.constant(_frequencies(layers, sliding=sliding), np.float32)
        head = layers.head_dim if sliding else layers.global_head_dim
        made[sliding] = Rotation.of(graph, graph.op("Mul", [positions, frequencies]), head, tokens)
    return made


def _frequencies(layers: Layers, *, sliding: bool) -> Floats:
    head, theta = (
        (layers.head_dim, layers.rope_theta_sliding) if sliding else (layers.global_head_dim, layers.rope_theta)
    )
    turning = head // 2 if sliding else int(layers.rotary_factor * head // 2)
    made = np.zeros(head // 2, np.float32)
    made[:turning] = 1 / np.float32(theta) ** (np.arange(0, 2 * turning, 2, dtype=np.float32) / np.float32(head))
    return made
