"""The graph `vision_encoder`: patches of pictures and where they are to embeddings of the language model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from edgekit.convert.onnx.encoder import Encoder
from edgekit.convert.onnx.graph import MICROSOFT, Graph
from edgekit.convert.onnx.matrices import gather
from edgekit.convert.onnx.precision import Bits
from edgekit.convert.onnx.weights import Weights
from edgekit.convert.plan import TensorPlan
from edgekit.convert.section import Section

_PREFIX = "vision_tower."
_TABLE = f"{_PREFIX}patch_embedder.position_embedding_table"
_STANDARD = ("std_bias", "std_scale")
# Of every released model.
_EPSILON = 1e-6
# What transformers takes where a config does not say.
_THETA = 100.0


def build(graph: Graph, config: Section, text_width: int, weights: Weights) -> None:
    """Build it.

    Inputs: pixel_values (pictures, patches, 3 * patch * patch) float32 from 0 to 1, and pixel_position_ids (pictures,
    patches, 2) int64, column and row; those behind the end of a picture are -1. Output: image_features (tokens, hidden)
    float32, those of all pictures one after the other.
    """
    _Vision(graph, config, weights).build(text_width)


@dataclass
class _Vision:
    graph: Graph
    config: Section
    weights: Weights

    def __post_init__(self) -> None:
        config = self.config
        self.width, self.head = config.whole("hidden_size"), config.whole("head_dim")
        self.heads = config.whole("num_attention_heads")
        self.pixels = 3 * config.whole("patch_size") ** 2
        self.parts = Encoder(self.graph, self.weights, _PREFIX, _EPSILON)

    def build(self, text_width: int) -> None:
        graph = self.graph
        pixels = graph.input("pixel_values", np.float32, ["num_images", "num_patches", self.pixels])
        places = graph.input("pixel_position_ids", np.int64, ["num_images", "num_patches", 2])
        pixels, places = self._without_end(pixels, places)
        self.shape = graph.op("Shape", [places], start=0, end=2)
        self.is_single = graph.op("Equal", [graph.op("Gather", [self.shape, graph.int64(0)]), graph.int64(1)])
        real = graph.op("GreaterOrEqual", [graph.op("Gather", [places, graph.int64(0)], axis=2), graph.int64(0)])
        state = self._embedded(pixels, places, real)
        self.mask = graph.op("Cast", [real], to=TensorProto.INT32)
        self.cosines, self.sines = self._rotation(places)
        for layer in range(self.config.layers()):
            state = self._layer(f"encoder.layers.{layer}.", state)
        pooled = self._pooled(state, places, real)
        graph.output("image_features", np.float32, ["num_image_tokens", text_width], self._projected(pooled))

    def _without_end(self, pixels: str, places: str) -> tuple[str, str]:
        """Cut what lies behind the end of the largest picture: attention is computed between all that is left."""
        graph = self.graph
        real = graph.op("GreaterOrEqual", [graph.op("Gather", [places, graph.int64(0)], axis=2), graph.int64(0)])
        counts = graph.op("ReduceSum", [graph.op("Cast", [real], to=TensorProto.INT64), graph.int64([1])], keepdims=0)
        self.counts = counts
        largest = graph.op("ReduceMax", [counts, graph.int64([0])], keepdims=1)
        ends = [graph.int64([0]), largest, graph.int64([1])]
        return graph.op("Slice", [pixels, *ends]), graph.op("Slice", [places, *ends])

    def _embedded(self, pixels: str, places: str, real: str) -> str:
        """Return patches with their places added, of shape (patches, width)."""
        graph = self.graph
        flat = graph.op("Reshape", [pixels, graph.int64([-1, self.pixels])])
        centred = graph.op(
            "Mul", [graph.op("Sub", [flat, graph.constant(0.5, np.float32)]), graph.constant(2.0, np.float32)]
        )
        state = self.parts.linear(graph.to_dtype(centred), "patch_embedder.input_proj")
        plan = self.weights.plan(_TABLE)
        count = plan.shape[1]
        # Both tables as one, that of the rows behind that of the columns.
        table = TensorPlan(plan.name, (2 * count, self.width), plan.weight, whole=True)
        inside = graph.op("Max", [places, graph.int64(0)])
        numbers = graph.op("Add", [inside, graph.int64([0, count])])
        # Blocks of few bits save little here, and every patch needs its place.
        bits: Bits = 32 if graph.precision.encoders == 32 else 16
        found = gather(graph, numbers, table, bits, f"/{_TABLE}/Gather")
        both = graph.op("ReduceSum", [found, graph.int64([2])], keepdims=0)
        seen = graph.op(
            "Where", [graph.op("Unsqueeze", [real, graph.int64([-1])]), both, graph.constant(0.0, np.float32)]
        )
        return graph.op("Add", [state, graph.to_dtype(graph.op("Reshape", [seen, graph.int64([-1, self.width])]))])

    def _rotation(self, places: str) -> tuple[str, str]:
        """Return cosines and sines of shape (patches, 1, 2, 1, head / 4): half of a head turns with each direction."""
        graph, rope = self.graph, self.config.section_or_defaults("rope_parameters", {"rope_theta": _THETA})
        half = self.head // 2
        frequencies = 1 / np.float32(rope.number("rope_theta")) ** (np.arange(0, half, 2, dtype=np.float32) / half)
        turned = graph.op("Cast", [graph.op("Reshape", [places, graph.int64([-1, 1, 2, 1, 1])])], to=TensorProto.FLOAT)
        angles = graph.op("Mul", [turned, graph.constant(frequencies, np.float32)])
        return graph.to_dtype(graph.op("Cos", [angles])), graph.to_dtype(graph.op("Sin", [angles]))

    def _layer(self, inside: str, state: str) -> str:
        graph, parts = self.graph, self.parts
        found = self._attended(inside, parts.norm(state, f"{inside}input_layernorm"))
        state = graph.op("Add", [state, parts.norm(found, f"{inside}post_attention_layernorm")])
        normed = parts.norm(state, f"{inside}pre_feedforward_layernorm")
        gate = graph.op("Gelu", [parts.linear(normed, f"{inside}mlp.gate_proj")], approximate="tanh")
        wide = graph.op("Mul", [gate, parts.linear(normed, f"{inside}mlp.up_proj")])
        found = parts.linear(wide, f"{inside}mlp.down_proj")
        return graph.op("Add", [state, parts.norm(found, f"{inside}post_feedforward_layernorm")])

    def _attended(self, inside: str, value: str) -> str:
        graph, name = self.graph, f"{inside}self_attn."
        queries, keys = (self._turned(f"{name}{part}", value) for part in "qk")
        values = self._heads(self.parts.linear(value, f"{name}v_proj"))
        values = self._in_pictures(self.parts.plain_norm(values, self.head, f"{name}v_norm"))

        def attention(*masked: str) -> str:
            inputs = [queries, keys, values, *masked]
            return graph.op(f"{MICROSOFT}.MultiHeadAttention", inputs, num_heads=self.heads, scale=1.0)

        # Without a mask onnxruntime never holds all scores at once; a picture alone has no end to mask.
        found = graph.conditional(self.is_single, attention, lambda: attention("", self.mask))
        return self.parts.linear(self._flat(found), f"{name}o_proj")

    def _turned(self, name: str, value: str) -> str:
        """Return queries or keys, each half of a head turned within itself, as (pictures, patches, heads * head)."""
        graph = self.graph
        normed = self.parts.norm(self._heads(self.parts.linear(value, f"{name}_proj")), f"{name}_norm")
        halves = graph.op("Reshape", [normed, graph.int64([-1, self.heads, 2, 2, self.head // 4])])
        first, second = graph.ops("Split", [halves], 2, axis=3, num_outputs=2)
        cosines, sines = self.cosines, self.sines
        one = graph.op("Sub", [graph.op("Mul", [first, cosines]), graph.op("Mul", [second, sines])])
        two = graph.op("Add", [graph.op("Mul", [second, cosines]), graph.op("Mul", [first, sines])])
        return self._in_pictures(graph.op("Concat", [one, two], axis=3))

    def _heads(self, value: str) -> str:
        return self.graph.op("Reshape", [value, self.graph.int64([-1, self.heads, self.head])])

    def _in_pictures(self, value: str) -> str:
        graph = self.graph
        shape = graph.op("Concat", [self.shape, graph.int64([self.heads * self.head])], axis=0)
        return graph.op("Reshape", [value, shape])

    def _flat(self, value: str) -> str:
        return self.graph.op("Reshape", [value, self.graph.int64([-1, self.heads * self.head])])

    def _pooled(self, state: str, places: str, real: str) -> str:
        """Return the mean of each square of patches, of shape (tokens, width) in float32."""
        graph = self.graph
        side = graph.int64(self.config.positive("pooling_kernel_size"))
        area = graph.op("Mul", [side, side])
        inside = graph.op("Max", [places, graph.int64(0)])
        column, row = (graph.op("Gather", [inside, graph.int64(axis)], axis=2) for axis in (0, 1))
        across = graph.op("Add", [graph.op("ReduceMax", [column, graph.int64([1])], keepdims=1), graph.int64(1)])
        square = graph.op(
            "Add",
            [
                graph.op("Div", [column, side]),
                graph.op("Mul", [graph.op("Div", [across, side]), graph.op("Div", [row, side])]),
            ],
        )
        length = graph.op("Div", [graph.op("Gather", [self.shape, graph.int64(1)]), area])
        belongs = graph.op("OneHot", [square, length, graph.constant([0.0, 1.0], np.float32)], axis=1)
        seen = graph.op("Cast", [graph.op("Unsqueeze", [real, graph.int64([1])])], to=TensorProto.FLOAT)
        shape = graph.op("Concat", [self.shape, graph.int64([self.width])], axis=0)
        sums = graph.op(
            "MatMul", [graph.op("Mul", [belongs, seen]), graph.op("Reshape", [graph.to_float32(state), shape])]
        )
        means = graph.op("Div", [sums, graph.op("Cast", [area], to=TensorProto.FLOAT)])
        tokens = graph.op("Div", [graph.op("Unsqueeze", [self.counts, graph.int64([1])]), area])
        numbers = graph.op("Range", [graph.int64(0), length, graph.int64(1)])
        exists = graph.op("Reshape", [graph.op("Less", [numbers, tokens]), graph.int64([-1])])
        flat = graph.op("Reshape", [means, graph.int64([-1, self.width])])
        return graph.op("Compress", [flat, exists], axis=0)

    def _projected(self, pooled: str) -> str:
        graph = self.graph
        value = graph.op("Mul", [pooled, graph.constant(self.width**0.5, np.float32)])
        if self.config.flag("standardize"):
            bias, scale = (graph.to_float32(graph.tensor(self.weights.plan(f"{_PREFIX}{name}"))) for name in _STANDARD)
            value = graph.op("Mul", [graph.op("Sub", [value, bias]), scale])
        return self.parts.into_text(value, self.width, "embed_vision")
