"""Attention of the decoder: grouped queries, a window on most layers, keys and values that later layers share."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from onnx import TensorProto

from edgekit.convert.gemma4.config import TextConfig
from edgekit.convert.onnx.graph import MICROSOFT, Dimension, Graph
from edgekit.convert.onnx.matrices import linear, norm
from edgekit.convert.onnx.rotation import Rotation
from edgekit.convert.onnx.tokens import Tokens
from edgekit.convert.onnx.weights import Weights


def cache_shape(config: TextConfig, layer: int, length: str) -> list[Dimension]:
    """Return the shape of a layer's keys, and of its values."""
    attention = config.attention
    head = attention.head(layer)
    return ["batch_size", attention.kv_width(layer) // head, length, head]


@dataclass
class Attention:
    """All layers' attention; the mask's rows say which tokens exist."""

    graph: Graph
    config: TextConfig
    weights: Weights
    mask: str
    # Keys and values of the last layer that has its own, by whether it has a sliding window.
    _kept: dict[bool, tuple[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        graph = self.graph
        count = graph.op("ReduceSum", [self.mask, graph.int64([1])], keepdims=0)
        self._lengths = graph.op("Cast", [graph.op("Sub", [count, graph.int64(1)])], to=TensorProto.INT32)
        total = graph.op("Gather", [graph.op("Shape", [self.mask]), graph.int64(1)], axis=0)
        self._total = graph.op("Cast", [total], to=TensorProto.INT32)

    def layer(self, layer: int, value: str, tokens: Tokens, rotation: Rotation) -> str:
        """Attend, from and to rows of shape (tokens, hidden)."""
        graph, config, name = self.graph, self.config, f"/model/layers.{layer}/attn"
        head, width = config.attention.head(layer), config.attention.kv_width(layer)
        queries = self._heads(layer, value, "q", tokens, rotation)
        sliding = config.attention.sliding[layer]
        if config.shares_kv(layer):
            keys = values = self._nothing(tokens, width)
            past = self._kept[sliding]
            # Nobody reads them, but onnxruntime 1.30 ends the process where they are left out.
            present = [f"{name}/unused_key", f"{name}/unused_value"]
        else:
            keys, values = self._keys_and_values(layer, value, tokens, rotation)
            past = self._past(layer)
            present = [f"present.{layer}.key", f"present.{layer}.value"]
            self._kept[sliding] = (present[0], present[1])
        window = {"local_window_size": config.window} if sliding else {}
        found, *_ = graph.ops(
            f"{MICROSOFT}.GroupQueryAttention",
            [queries, keys, values, *past, self._lengths, self._total],
            [f"{name}/output", *present],
            f"{name}/GroupQueryAttention",
            num_heads=config.heads,
            kv_num_heads=width // head,
            scale=1.0,
            **window,
        )
        flat = graph.op("Reshape", [found, graph.int64([-1, config.heads * head])])
        return self._linear(layer, flat, "o")

    def declare_outputs(self) -> None:
        """Declare the keys and values that all layers leave behind."""
        graph, config = self.graph, self.config
        for layer in range(config.own_kv_layers):
            for part in ("key", "value"):
                after = cache_shape(config, layer, "total_sequence_length")
                graph.output(f"present.{layer}.{part}", graph.precision.dtype, after)

    def _past(self, layer: int) -> tuple[str, str]:
        graph, dtype = self.graph, self.graph.precision.dtype
        for part in ("key", "value"):
            before = cache_shape(self.config, layer, "past_sequence_length")
            graph.input(f"past_key_values.{layer}.{part}", dtype, before)
        return f"past_key_values.{layer}.key", f"past_key_values.{layer}.value"

    def _keys_and_values(self, layer: int, value: str, tokens: Tokens, rotation: Rotation) -> tuple[str, str]:
        plain = self._linear(layer, value, "k")
        has_values = f"layers.{layer}.self_attn.v_proj.weight" in self.weights
        as_values = self.config.attention.keys_as_values and not self.config.attention.sliding[layer]
        values = self._linear(layer, value, "v") if has_values and not as_values else plain
        ones = self.graph.constant(np.ones(self.config.attention.head(layer)))
        return (
            rotation.apply(self.graph, self._norm(layer, plain, "k", tokens), f"/model/layers.{layer}/attn/k_rotary"),
            self._each_head(layer, values, ones, "v", tokens),
        )

    def _heads(self, layer: int, value: str, part: str, tokens: Tokens, rotation: Rotation) -> str:
        normed = self._norm(layer, self._linear(layer, value, part), part, tokens)
        return rotation.apply(self.graph, normed, f"/model/layers.{layer}/attn/{part}_rotary")

    def _norm(self, layer: int, value: str, part: str, tokens: Tokens) -> str:
        name = f"layers.{layer}.self_attn.{part}_norm.weight"
        scale = self.graph.tensor(self.weights.plan(name, f"model.layers.{layer}.attn.{part}_norm.layernorm.weight"))
        return self._each_head(layer, value, scale, part, tokens)

    def _each_head(self, layer: int, value: str, scale: str, part: str, tokens: Tokens) -> str:
        """Norm each head alone; returns shape (batch, sequence, heads * head)."""
        graph, head, name = self.graph, self.config.attention.head(layer), f"/model/layers.{layer}/attn/{part}_norm"
        width = self.config.heads * head if part == "q" else self.config.attention.kv_width(layer)
        heads = graph.op("Reshape", [value, graph.int64([-1, width // head, head])])
        return tokens.in_batches(norm(graph, heads, scale, self.config.rms_norm_eps, name), width)

    def _linear(self, layer: int, value: str, part: str) -> str:
        name = f"layers.{layer}.self_attn.{part}_proj.weight"
        plan = self.weights.plan(name, f"model.layers.{layer}.attn.{part}_proj.weight")
        return linear(
            self.graph, value, plan, self.graph.precision.body, f"/model/layers.{layer}/attn/{part}_proj/MatMul"
        )

    def _nothing(self, tokens: Tokens, width: int) -> str:
        """Return no keys at all: those of the layer that is shared are all in its past."""
        graph = self.graph
        batch = graph.op("Slice", [tokens.shape, graph.int64([0]), graph.int64([1])])
        shape = graph.op("Concat", [batch, graph.int64([0, width])], axis=0)
        return graph.op("Expand", [graph.constant([[[0.0]]]), shape])
