"""The graph `decoder_model_merged`: embeddings and the keys and values of earlier tokens to logits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
import onnx.numpy_helper

from edgekit.convert.gemma4.config import TextConfig
from edgekit.convert.names import EMBEDDINGS, HEAD
from edgekit.convert.onnx.attention import Attention
from edgekit.convert.onnx.graph import Dimension, Graph
from edgekit.convert.onnx.matrices import linear, norm, single_norm
from edgekit.convert.onnx.rotation import Rotation, rotations
from edgekit.convert.onnx.tokens import Tokens
from edgekit.convert.onnx.weights import Weights
from edgekit.convert.plan import TensorPlan

# How many of the last positions' logits are wanted; 0 is all. Those of a long prompt would fill the memory.
KEPT = "num_logits_to_keep"


def build(graph: Graph, config: TextConfig, weights: Weights) -> None:
    """Build it; see `cache_shapes` for keys and values.

    Inputs: inputs_embeds, per_layer_inputs, attention_mask (batch, earlier + sequence) int64, num_logits_to_keep.
    Outputs: logits (batch, positions, vocabulary) float32.
    """
    _Decoder(graph, config, weights).build()


def for_genai(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the same graph without the input num_logits_to_keep, which onnxruntime-genai cannot give: only the last.

    It shares the data files of the other.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    made.graph.input.remove(next(one for one in made.graph.input if one.name == KEPT))
    made.graph.initializer.append(onnx.numpy_helper.from_array(np.array(1, np.int64), KEPT))
    # By this onnxruntime-genai knows.
    positions = made.graph.output[0].type.tensor_type.shape.dim[1]
    positions.Clear()
    positions.dim_value = 1
    return made


@dataclass
class _Decoder:
    graph: Graph
    config: TextConfig
    weights: Weights

    def build(self) -> None:
        graph, config = self.graph, self.config
        embeddings = graph.input("inputs_embeds", np.float32, ["batch_size", "sequence_length", config.hidden_size])
        shape: list[Dimension] = ["batch_size", "sequence_length", config.layers, config.per_layer_input]
        looked_up = graph.input("per_layer_inputs", np.float32, shape) if config.per_layer_input else None
        mask = graph.input("attention_mask", np.int64, ["batch_size", "total_sequence_length"])
        kept = graph.input(KEPT, np.int64, [])
        # In float32 from here to the logits, whatever the graph computes with: what layers add up outgrows float16.
        state = graph.op("Reshape", [embeddings, graph.int64([-1, config.hidden_size])])
        tokens = Tokens.all(graph, embeddings)
        per_layer = self._per_layer(state, looked_up) if looked_up else None
        attention = Attention(graph, config, self.weights, mask)
        rotated = rotations(graph, config.attention, mask, tokens)
        for layer in range(config.layers):
            if layer == config.own_kv_layers:
                # Layers without keys and values of their own leave nothing behind: only the wanted positions count.
                last = tokens.last(kept)
                state = tokens.cut(state, config.hidden_size, last)
                per_layer = per_layer and tokens.cut(per_layer, config.layers * config.per_layer_input, last)
                tokens = last
                rotated = {sliding: rotation.last(graph, last) for sliding, rotation in rotated.items()}
            rotation = rotated[config.attention.sliding[layer]]
            state = self._layer(layer, state, per_layer, attention, tokens, rotation)
        if not config.attention.kv_shared:
            last = tokens.last(kept)
            state, tokens = tokens.cut(state, config.hidden_size, last), last
        self._logits(state, tokens)
        attention.declare_outputs()

    def _per_layer(self, state: str, looked_up: str) -> str:
        """Return each layer's own embeddings, of shape (tokens, layers * width)."""
        graph, config = self.graph, self.config
        heads = graph.int64([-1, config.layers, config.per_layer_input])
        projected = self._linear(
            graph.to_dtype(state), "per_layer_model_projection", "/model/per_layer_projection/MatMul"
        )
        projected = graph.op("Mul", [projected, graph.constant(config.hidden_size**-0.5)])
        scale = graph.tensor(self._plan("per_layer_projection_norm.weight"))
        projected = graph.op("Reshape", [projected, heads])
        normed = norm(graph, projected, scale, config.rms_norm_eps, "/model/per_layer_projection_norm")
        both = graph.op("Add", [normed, graph.op("Reshape", [graph.to_dtype(looked_up), heads])])
        both = graph.op("Mul", [both, graph.constant(2**-0.5)])
        return graph.op("Reshape", [both, graph.int64([-1, config.layers * config.per_layer_input])])

    def _layer(
        self, layer: int, state: str, per_layer: str | None, attention: Attention, tokens: Tokens, rotation: Rotation
    ) -> str:
        graph, inside = self.graph, f"layers.{layer}."
        normed = graph.to_dtype(self._norm(state, f"{inside}input_layernorm"))
        found = attention.layer(layer, normed, tokens, rotation)
        found = self._norm(graph.to_float32(found), f"{inside}post_attention_layernorm")
        state = graph.op("Add", [state, found])
        normed = graph.to_dtype(self._norm(state, f"{inside}pre_feedforward_layernorm"))
        gate = self._gelu(self._linear(normed, f"{inside}mlp.gate_proj"))
        wide = graph.op("Mul", [gate, self._linear(normed, f"{inside}mlp.up_proj")])
        found = graph.to_float32(self._linear(wide, f"{inside}mlp.down_proj"))
        found = self._norm(found, f"{inside}post_feedforward_layernorm")
        state = graph.op("Add", [state, found])
        if per_layer is not None:
            state = graph.op("Add", [state, self._own_embedding(layer, state, per_layer)])
        return graph.op("Mul", [state, graph.tensor(self._plan(f"{inside}layer_scalar"), single=True)])

    def _own_embedding(self, layer: int, state: str, per_layer: str) -> str:
        graph, inside, width = self.graph, f"layers.{layer}.", self.config.per_layer_input
        ends = [graph.int64([layer * width]), graph.int64([(layer + 1) * width])]
        own = graph.op("Slice", [per_layer, *ends, graph.int64([1])])
        # The state as it is, not divided by its size, may be too large for float16.
        gate = self._gelu(self._linear(state, f"{inside}per_layer_input_gate", single=True))
        wide = graph.op("Mul", [gate, graph.to_float32(own)])
        found = self._linear(wide, f"{inside}per_layer_projection", single=True)
        return self._norm(found, f"{inside}post_per_layer_input_norm")

    def _logits(self, state: str, tokens: Tokens) -> None:
        graph, config = self.graph, self.config
        head = self.weights.plan(HEAD if HEAD in self.weights else EMBEDDINGS, "lm_head.weight")
        found = linear(
            graph, graph.to_dtype(self._norm(state, "norm")), head, graph.precision.embeddings, "/lm_head/MatMul"
        )
        found = tokens.in_batches(graph.to_float32(found), head.height)
        if config.logit_softcap is not None:
            cap = graph.constant(config.logit_softcap, np.float32)
            found = graph.op("Mul", [graph.op("Tanh", [graph.op("Div", [found, cap])]), cap])
        graph.output("logits", np.float32, ["batch_size", "num_logits", head.height], found)

    def _gelu(self, value: str) -> str:
        return self.graph.op("Gelu", [value], approximate="tanh")

    def _linear(self, value: str, name: str, called: str | None = None, *, single: bool = False) -> str:
        plan, bits = self._plan(f"{name}.weight"), self.graph.precision.body
        return linear(self.graph, value, plan, bits, called or f"/model/{name}/MatMul", single=single)

    def _norm(self, value: str, name: str) -> str:
        """Norm in float32."""
        scale = self.graph.tensor(self._plan(f"{name}.weight"), single=True)
        return single_norm(self.graph, value, scale, self.config.rms_norm_eps, f"/model/{name}")

    def _plan(self, name: str) -> TensorPlan:
        return self.weights.plan(name, f"model.{name}")
