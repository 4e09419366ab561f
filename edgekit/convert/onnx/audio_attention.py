"""Attention of the audio encoder: each frame looks at those just before it, in blocks, by how far away they are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from edgekit.convert.gemma4.audio import softplus
from edgekit.convert.onnx.encoder import Encoder
from edgekit.convert.onnx.matrices import linear
from edgekit.convert.safetensors import Floats
from edgekit.convert.section import Section

_LONGEST = 10_000.0


@dataclass
class AudioAttention:
    """All layers' attention; `state` has the shape (sounds, frames, width), the mask says which frames exist."""

    parts: Encoder
    config: Section
    state: str
    mask: str

    def __post_init__(self) -> None:
        config, graph = self.config, self.parts.graph
        self.width, self.heads = config.whole("hidden_size"), config.whole("num_attention_heads")
        self.head = self.width // self.heads
        self.chunk = config.positive("attention_chunk_size")
        self.past = config.positive("attention_context_left") - 1
        self.future = config.whole("attention_context_right")
        self.context = self.chunk + self.past + self.future
        self.shape = graph.op("Shape", [self.state])
        self.length = graph.op("Gather", [self.shape, graph.int64([1])])
        chunk = graph.int64([self.chunk])
        self.blocks = graph.op("Div", [graph.op("Add", [self.length, graph.int64([self.chunk - 1])]), chunk])
        self.missing = graph.op("Sub", [graph.op("Mul", [self.blocks, chunk]), self.length])
        self.sounds = graph.op("Gather", [self.shape, graph.int64([0])])
        self.indices = self._indices()
        self.visible = self._visible()

    def layer(self, inside: str, value: str) -> str:
        """Attend, from and to rows of shape (frames of all sounds, width); in float32, as transformers does."""
        graph = self.parts.graph
        queries, keys, values = (graph.to_float32(self.parts.linear(value, f"{inside}{part}_proj")) for part in "qkv")
        plan = self.parts.weights.plan(f"{self.parts.prefix}{inside}per_dim_scale", transform=self._query_scale)
        queries = graph.op("Mul", [self._framed(queries), graph.to_float32(graph.tensor(plan))])
        keys = graph.op("Mul", [keys, graph.constant(math.log(1 + math.e) / math.log(2), np.float32)])
        queries = graph.op("Transpose", [self._blocked(queries)], perm=[0, 3, 1, 2, 4])
        keys = graph.op("Transpose", [self._context(self._framed(keys))], perm=[0, 3, 1, 4, 2])
        values = graph.op("Transpose", [self._context(self._framed(values))], perm=[0, 3, 1, 2, 4])
        scores = graph.op("Add", [graph.op("MatMul", [queries, keys]), self._by_distance(inside, queries)])
        cap = graph.constant(self.config.number("attention_logit_cap"), np.float32)
        scores = graph.op("Mul", [graph.op("Tanh", [graph.op("Div", [scores, cap])]), cap])
        invalid = graph.constant(self.config.number("attention_invalid_logits_value"), np.float32)
        weights = graph.op("Softmax", [graph.op("Where", [self.visible, scores, invalid])], axis=-1)
        found = graph.op("Transpose", [graph.op("MatMul", [weights, values])], perm=[0, 2, 3, 1, 4])
        found = graph.op("Reshape", [found, self._shape(self.sounds, [-1, self.width])])
        found = graph.op("Slice", [found, graph.int64([0]), self.length, graph.int64([1])])
        flat = graph.op("Reshape", [found, graph.int64([-1, self.width])])
        return self.parts.linear(graph.to_dtype(flat), f"{inside}post")

    def _query_scale(self, values: Floats) -> Floats:
        return softplus(values) * np.float32(self.head**-0.5 / math.log(2))

    def _by_distance(self, inside: str, queries: str) -> str:
        """Return what queries see in distances, of shape (sounds, heads, blocks, chunk, context)."""
        graph, count = self.parts.graph, self.context // 2 + 1
        places = self._places(f"{self.parts.prefix}{inside}relative_k_proj")
        places = graph.op("Reshape", [places, graph.int64([count, self.heads, self.head])])
        flat = graph.op("Reshape", [queries, self._shape(self.sounds, [self.heads, -1, self.head])])
        seen = graph.op("MatMul", [flat, graph.op("Transpose", [places], perm=[1, 2, 0])])
        # Row by row one place to the right: appendix B of arXiv 1901.02860.
        wide = graph.op("Pad", [seen, graph.int64([0] * 7 + [self.context + 1 - count])])
        size = self.chunk * (self.context + 1)
        rows = graph.op("Reshape", [wide, self._shape(self.sounds, [self.heads, -1, size])])
        cut = graph.op("Slice", [rows, *map(graph.int64, ([0], [self.chunk * self.context], [3]))])
        return graph.op("Reshape", [cut, self._shape(self.sounds, [self.heads, -1, self.chunk, self.context])])

    def _places(self, name: str) -> str:
        """Return what keys would be at each distance; of constants alone, so onnxruntime computes it as it loads."""
        graph, plan = self.parts.graph, self.parts.weights.plan(f"{name}.weight")
        # It cannot do that in float16.
        single = graph.precision.encoders >= 16
        distances = graph.constant(self._distances(), np.float32 if single else None)
        made = linear(graph, distances, plan, 32 if single else graph.precision.encoders, f"/{name}/MatMul")
        return made if single else graph.to_float32(made)

    def _distances(self) -> Floats:
        half = self.width // 2
        step = math.log(_LONGEST) / max(half - 1, 1)
        times = np.exp(np.arange(half, dtype=np.float32) * np.float32(-step))
        scaled = np.arange(self.context // 2, -1, -1, dtype=np.float32)[:, None] * times
        return np.concatenate([np.sin(scaled), np.cos(scaled)], -1)

    def _framed(self, rows: str) -> str:
        """Return rows as (sounds, frames, heads, head)."""
        graph = self.parts.graph
        wanted = graph.op("Concat", [self.sounds, self.length, graph.int64([self.heads, self.head])], axis=0)
        return graph.op("Reshape", [rows, wanted])

    def _blocked(self, framed: str) -> str:
        """Return frames as (sounds, blocks, chunk, heads, head)."""
        graph = self.parts.graph
        after = graph.op("Concat", [graph.int64([0] * 5), self.missing, graph.int64([0, 0])], axis=0)
        padded = graph.op("Pad", [framed, after])
        return graph.op("Reshape", [padded, self._shape(self.sounds, [-1, self.chunk, self.heads, self.head])])

    def _context(self, framed: str) -> str:
        """Return for each block the frames that it may see, as (sounds, blocks, context, heads, head)."""
        graph = self.parts.graph
        around = graph.int64([0, self.past, 0, 0, 0, self.future + self.chunk - 1, 0, 0])
        return graph.op("Gather", [graph.op("Pad", [framed, around]), self.indices], axis=1)

    def _indices(self) -> str:
        """Return which padded frames each block may see, of shape (blocks, context)."""
        graph = self.parts.graph
        count = graph.op("Squeeze", [self.blocks, graph.int64([0])])
        first = graph.op("Mul", [graph.op("Range", [graph.int64(0), count, graph.int64(1)]), graph.int64(self.chunk)])
        return graph.op(
            "Add", [graph.op("Unsqueeze", [first, graph.int64([1])]), graph.int64(list(range(self.context)))]
        )

    def _visible(self) -> str:
        """Return which frames of its context each frame sees, of shape (sounds, 1, blocks, chunk, context)."""
        graph = self.parts.graph
        real = graph.op("Cast", [self.mask], to=TensorProto.INT32)
        padded = graph.op("Pad", [real, graph.int64([0, self.past, 0, self.future + self.chunk - 1])])
        exists = graph.op("Cast", [graph.op("Gather", [padded, self.indices], axis=1)], to=TensorProto.BOOL)
        exists = graph.op("Unsqueeze", [exists, graph.int64([1, 3])])
        behind = np.arange(self.chunk)[:, None] - np.arange(self.context) + self.past
        # transformers' window leaves out the farthest frame on either side.
        near = ((behind >= 0) & (behind < self.past)) | ((behind < 0) & (-behind < self.future))
        return graph.op("And", [exists, graph.constant(near, np.bool_)])

    def _shape(self, first: str, rest: list[int]) -> str:
        return self.parts.graph.op("Concat", [first, self.parts.graph.int64(rest)], axis=0)
