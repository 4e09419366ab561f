"""The settings beside the graphs: config.json for transformers.js, genai_config.json for onnxruntime-genai."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.convert.gemma4.config import CONDITIONAL, TextConfig
from edgekit.convert.onnx.attention import cache_shape
from edgekit.convert.onnx.precision import Precision
from edgekit.engine.onnx.folder import PARTS

EMBED, DECODER, VISION, AUDIO = PARTS
# The decoder as onnxruntime-genai wants it, over the same data files.
GENAI_DECODER = "decoder_model_genai"


def config_json(values: Mapping[str, Any], chunks: Mapping[str, int], precisions: Sequence[Precision]) -> bytes:
    """Return config.json as transformers.js wants it.

    `chunks` has for each graph's file how many data files it has.
    """
    text = dict(values.get("text_config") or values)
    made = {
        **(values if "text_config" in values else {"text_config": text}),
        # The name under which transformers.js knows all sizes.
        "architectures": [CONDITIONAL],
        "model_type": "gemma4",
        "text_config": text | {"model_type": "gemma4_text"},
        "transformers.js_config": {
            "use_external_data_format": dict(chunks),
            "kv_cache_dtype": {one.name: "float16" for one in precisions if one.half},
        },
    }
    return _dump(made)


def genai_json(
    config: TextConfig, values: Mapping[str, Any], generation: Mapping[str, Any], precision: Precision, vocabulary: int
) -> bytes:
    """Return genai_config.json for the graphs of one precision: the two of them as a pipeline."""
    text = values.get("text_config") or values
    model = {
        "type": "decoder-pipeline",
        "bos_token_id": text.get("bos_token_id") or 2,
        "eos_token_id": generation.get("eos_token_id") or values.get("eos_token_id") or text.get("eos_token_id") or 1,
        "pad_token_id": text.get("pad_token_id") or 0,
        "context_length": config.context,
        "vocab_size": vocabulary,
        "decoder": _decoder(config, precision),
    }
    search = {
        "max_length": config.context,
        "do_sample": bool(generation.get("do_sample", False)),
        "temperature": generation.get("temperature", 1.0),
        "top_k": generation.get("top_k", 64),
        "top_p": generation.get("top_p", 0.95),
        "num_beams": 1,
        "past_present_share_buffer": False,
    }
    return _dump({"model": model, "search": search})


def _decoder(config: TextConfig, precision: Precision) -> dict[str, Any]:
    return {
        "session_options": {"provider_options": []},
        "head_size": config.attention.head_dim,
        "hidden_size": config.hidden_size,
        "num_attention_heads": config.heads,
        "num_key_value_heads": cache_shape(config, 0, "")[1],
        "num_hidden_layers": config.own_kv_layers,
        "inputs": {
            "input_ids": "input_ids",
            "attention_mask": "attention_mask",
            "past_key_names": "past_key_values.%d.key",
            "past_value_names": "past_key_values.%d.value",
        },
        "outputs": {
            "logits": "logits",
            "present_key_names": "present.%d.key",
            "present_value_names": "present.%d.value",
        },
        "pipeline": _pipeline(config, precision),
    }


def _pipeline(config: TextConfig, precision: Precision) -> list[dict[str, Any]]:
    """Return the graphs in the order in which they run, with what goes in and out."""
    layers = range(config.own_kv_layers)
    past = [f"past_key_values.{layer}.{part}" for layer in layers for part in ("key", "value")]
    embedded = ["inputs_embeds", *(["per_layer_inputs"] if config.per_layer_input else [])]
    embeddings = {
        "filename": f"onnx/{EMBED}{precision.suffix}.onnx",
        "inputs": ["input_ids"],
        "outputs": embedded,
    }
    decoder = {
        "filename": f"onnx/{GENAI_DECODER}{precision.suffix}.onnx",
        "inputs": [*embedded, "attention_mask", *past],
        "outputs": ["logits", *(name.replace("past_key_values", "present") for name in past)],
    }
    return [{"embeddings": embeddings}, {"decoder": decoder}]


def _dump(values: Mapping[str, Any]) -> bytes:
    return (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode()
