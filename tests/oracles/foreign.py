"""Write a GGUF of another architecture, Llama, that has a header and no weights."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
from oracles.header_only import finish

# Llama 3.2 1B.
HIDDEN, LAYERS, HEADS, KEY_HEADS, FEED_FORWARD, VOCABULARY, CONTEXT = 2048, 16, 32, 8, 8192, 128256, 131072


def write_llama(path: Path) -> None:
    """Write the file sparse, every matrix at Q8_0."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model("no_vocab")
    writer.add_vocab_size(VOCABULARY)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(HIDDEN // HEADS)
    keys = HIDDEN // HEADS * KEY_HEADS
    size = _matrix(writer, "token_embd", HIDDEN, VOCABULARY) + _row(writer, "output_norm")
    for layer in range(LAYERS):
        place = f"blk.{layer}."
        size += _row(writer, place + "attn_norm") + _row(writer, place + "ffn_norm")
        for name, rows in (("attn_q", HIDDEN), ("attn_k", keys), ("attn_v", keys), ("attn_output", HIDDEN)):
            size += _matrix(writer, place + name, HIDDEN, rows)
        for name in ("ffn_gate", "ffn_up"):
            size += _matrix(writer, place + name, HIDDEN, FEED_FORWARD)
        size += _matrix(writer, place + "ffn_down", FEED_FORWARD, HIDDEN)
    finish(writer, size)


def _matrix(writer: gguf.GGUFWriter, name: str, columns: int, rows: int) -> int:
    kind = gguf.GGMLQuantizationType.Q8_0
    shape = gguf.quants.quant_shape_to_byte_shape((rows, columns), kind)
    size = shape[0] * shape[1]
    writer.add_tensor_info(f"{name}.weight", shape, np.dtype(np.uint8), size, raw_dtype=kind)
    return size


def _row(writer: gguf.GGUFWriter, name: str) -> int:
    kind = gguf.GGMLQuantizationType.F32
    writer.add_tensor_info(f"{name}.weight", (HIDDEN,), np.dtype(np.float32), 4 * HIDDEN, raw_dtype=kind)
    return 4 * HIDDEN
