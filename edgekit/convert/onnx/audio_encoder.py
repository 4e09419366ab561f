"""The graph `audio_encoder`: log-mel frames of a sound to embeddings of the language model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from edgekit.convert.gemma4.audio import MEL_BINS
from edgekit.convert.onnx.audio_attention import AudioAttention
from edgekit.convert.onnx.encoder import Encoder
from edgekit.convert.onnx.graph import Graph
from edgekit.convert.onnx.weights import Weights
from edgekit.convert.section import Section

_PREFIX = "audio_tower."
# Of every released model; transformers heeds the config's in some of the norms only.
_EPSILON = 1e-6
_LARGEST_HALF = 65504.0


def build(graph: Graph, config: Section, text_width: int, weights: Weights) -> None:
    """Build it.

    Inputs: input_features (sounds, frames, 128) float32 and input_features_mask (sounds, frames) bool, False behind the
    end of a sound. Output: audio_features (tokens, hidden) float32, those of all sounds one after the other.
    """
    _Audio(graph, config, weights).build(text_width)


@dataclass
class _Audio:
    graph: Graph
    config: Section
    weights: Weights

    def __post_init__(self) -> None:
        self.width = self.config.whole("hidden_size")
        self.parts = Encoder(self.graph, self.weights, _PREFIX, _EPSILON)
        clipping = self.config.number("gradient_clipping")
        self.clipping = min(clipping, _LARGEST_HALF) if self.graph.precision.half else clipping
        self.residual = self.config.number("residual_weight")

    def build(self, text_width: int) -> None:
        graph, output = self.graph, self.config.whole("output_proj_dims")
        frames = graph.input("input_features", np.float32, ["num_sounds", "num_frames", MEL_BINS])
        mask = graph.input("input_features_mask", np.bool_, ["num_sounds", "num_frames"])
        state, mask = self._subsampled(frames, mask)
        attention = AudioAttention(self.parts, self.config, state, mask)
        state = self._flat(state)
        for layer in range(self.config.layers()):
            state = self._layer(f"layers.{layer}.", state, attention)
        state = self._biased(state, "output_proj")
        exists = graph.op("Reshape", [mask, graph.int64([-1])])
        heard = graph.to_float32(graph.op("Compress", [state, exists], axis=0))
        found = self.parts.into_text(heard, output, "embed_audio")
        graph.output("audio_features", np.float32, ["num_audio_tokens", text_width], found)

    def _subsampled(self, frames: str, mask: str) -> tuple[str, str]:
        """Return a quarter of the frames, of shape (sounds, frames, width), and their mask."""
        graph, inside = self.graph, "subsample_conv_projection."
        state = graph.to_dtype(graph.op("Unsqueeze", [frames, graph.int64([1])]))
        for number in (0, 1):
            real = graph.to_dtype(graph.op("Cast", [mask], to=TensorProto.FLOAT))
            state = graph.op("Mul", [state, graph.op("Unsqueeze", [real, graph.int64([1, 3])])])
            kernel = graph.tensor(self.weights.plan(f"{_PREFIX}{inside}layer{number}.conv.weight"))
            state = graph.op("Conv", [state, kernel], strides=[2, 2], pads=[1, 1, 1, 1], kernel_shape=[3, 3])
            state = graph.op("Transpose", [state], perm=[0, 2, 3, 1])
            scale = graph.tensor(self.weights.plan(f"{_PREFIX}{inside}layer{number}.norm.weight"))
            state = graph.op("Relu", [graph.op("LayerNormalization", [state, scale], axis=-1, epsilon=_EPSILON)])
            if number == 0:
                state = graph.op("Transpose", [state], perm=[0, 3, 1, 2])
            mask = graph.op("Slice", [mask, *map(graph.int64, ([0], [1 << 40], [1], [2]))])
        shape = graph.op("Concat", [graph.op("Shape", [state], end=2), graph.int64([self.width])], axis=0)
        plan = self.weights.plan(f"{_PREFIX}{inside}input_proj_linear.weight")
        rows = graph.op("Reshape", [state, graph.int64([-1, plan.shape[1]])])
        made = self.parts.linear(rows, f"{inside}input_proj_linear")
        return graph.op("Reshape", [made, shape]), mask

    def _layer(self, inside: str, state: str, attention: AudioAttention) -> str:
        graph, parts = self.graph, self.parts
        state = self._feed_forward(f"{inside}feed_forward1.", state)
        normed = parts.norm(self._clipped(state), f"{inside}norm_pre_attn")
        found = self._clipped(attention.layer(f"{inside}self_attn.", normed))
        state = graph.op("Add", [state, parts.norm(found, f"{inside}norm_post_attn")])
        state = self._convolved(f"{inside}lconv1d.", state, attention.shape)
        state = self._feed_forward(f"{inside}feed_forward2.", state)
        return parts.norm(self._clipped(state), f"{inside}norm_out")

    def _feed_forward(self, inside: str, state: str) -> str:
        graph, parts = self.graph, self.parts
        normed = parts.norm(self._clipped(state), f"{inside}pre_layer_norm")
        wide = self._silu(parts.linear(normed, f"{inside}ffw_layer_1"))
        found = parts.norm(self._clipped(parts.linear(wide, f"{inside}ffw_layer_2")), f"{inside}post_layer_norm")
        return graph.op("Add", [state, graph.op("Mul", [found, graph.constant(self.residual)])])

    def _convolved(self, inside: str, state: str, shape: str) -> str:
        """Mix each frame with those just before it, each channel alone."""
        graph, parts = self.graph, self.parts
        value, gate = graph.ops(
            "Split",
            [parts.linear(parts.norm(state, f"{inside}pre_layer_norm"), f"{inside}linear_start")],
            2,
            axis=1,
            num_outputs=2,
        )
        value = graph.op("Mul", [value, graph.op("Sigmoid", [gate])])
        rows = graph.op("Transpose", [graph.op("Reshape", [value, shape])], perm=[0, 2, 1])
        plan = self.weights.plan(f"{_PREFIX}{inside}depthwise_conv1d.weight")
        length = plan.shape[2]
        mixed = graph.op(
            "Conv", [rows, graph.tensor(plan)], group=self.width, pads=[length - 1, 0], kernel_shape=[length]
        )
        value = self._flat(graph.op("Transpose", [mixed], perm=[0, 2, 1]))
        value = self._silu(parts.norm(self._clipped(value), f"{inside}conv_norm"))
        return graph.op("Add", [state, parts.linear(value, f"{inside}linear_end")])

    def _biased(self, state: str, name: str) -> str:
        bias = self.graph.tensor(self.weights.plan(f"{_PREFIX}{name}.bias"))
        return self.graph.op("Add", [self.parts.linear(state, name), bias])

    def _clipped(self, value: str) -> str:
        ends = [self.graph.constant(-self.clipping), self.graph.constant(self.clipping)]
        return self.graph.op("Clip", [value, *ends])

    def _silu(self, value: str) -> str:
        return self.graph.op("Mul", [value, self.graph.op("Sigmoid", [value])])

    def _flat(self, value: str) -> str:
        return self.graph.op("Reshape", [value, self.graph.int64([-1, self.width])])
