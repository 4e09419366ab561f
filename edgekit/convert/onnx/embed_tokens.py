"""The graph `embed_tokens`: token numbers to embeddings, and to those of each layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from edgekit.convert.gemma4.config import TextConfig
from edgekit.convert.names import EMBEDDINGS
from edgekit.convert.onnx.graph import Graph
from edgekit.convert.onnx.matrices import gather
from edgekit.convert.onnx.weights import Weights

PER_LAYER = "embed_tokens_per_layer.weight"
# Those that stand for pictures and sound; transformers looks up the padding token in their place.
_MEDIA_TOKENS = ("image_token_id", "audio_token_id", "video_token_id")


def build(graph: Graph, config: TextConfig, values: Mapping[str, Any], weights: Weights) -> None:
    """Build it; `values` is config.json.

    Inputs: input_ids (batch, sequence) int64. Outputs: inputs_embeds (batch, sequence, hidden) and, for a model with
    embeddings per layer, per_layer_inputs (batch, sequence, layers, width), both float32.
    """
    tokens = graph.input("input_ids", np.int64, ["batch_size", "sequence_length"])
    ids = _without_media_tokens(graph, tokens, values)
    table = weights.plan(EMBEDDINGS, "model.embed_tokens.weight")
    found = gather(graph, ids, table, graph.precision.embeddings, "/model/embed_tokens/Gather")
    scaled = _scaled(graph, found, config.hidden_size)
    graph.output("inputs_embeds", np.float32, ["batch_size", "sequence_length", config.hidden_size], scaled)
    if not config.per_layer_input:
        return
    table = weights.plan(PER_LAYER, "model.embed_tokens_per_layer.weight")
    found = gather(graph, ids, table, graph.precision.per_layer, "/model/embed_tokens_per_layer/Gather")
    scaled = _scaled(graph, found, config.per_layer_input)
    shape = [config.layers, config.per_layer_input]
    split = graph.op("Reshape", [scaled, graph.int64([0, 0, *shape])])
    graph.output("per_layer_inputs", np.float32, ["batch_size", "sequence_length", *shape], split)


def _without_media_tokens(graph: Graph, ids: str, values: Mapping[str, Any]) -> str:
    text = values.get("text_config") or values
    padding = text.get("pad_token_id") or 0
    for key in _MEDIA_TOKENS:
        token = values.get(key)
        if isinstance(token, int):
            ids = graph.op("Where", [graph.op("Equal", [ids, graph.int64(token)]), graph.int64(padding), ids])
    return ids


def _scaled(graph: Graph, found: str, width: int) -> str:
    return graph.op("Mul", [found, graph.constant(width**0.5, np.float32)])
