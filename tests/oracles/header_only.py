"""Write a GGUF that has a variant's keys and tensor table and no weights: enough for llama.cpp's dry run."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
from gguf.quants import quant_shape_to_byte_shape

from edgekit import paths
from edgekit.catalog.drafter import drafter_tensors
from edgekit.catalog.tensors import Tensor, tensor_bytes, with_types
from edgekit.catalog.variant import Shape, Variant

_DTYPES = {"F32": np.float32, "F16": np.float16, "BF16": np.float16}


def write_header_only(
    variant: Variant,
    quantization: str,
    path: Path,
    vocabulary: tuple[list[str], list[str]] | None = None,
    parts: int = 1,
    *,
    has_output: bool = False,
) -> None:
    """Write the file sparse: as long as the real one, a few kilobytes on disk.

    Without tokens and merges it has no vocabulary, whose size alone decides shapes: reading 262,144 strings would take
    most of the time. `has_output` gives an unquantized file an output matrix beside the token embeddings.
    """
    writer = gguf.GGUFWriter(path, "gemma4")
    writer.add_file_type(gguf.LlamaFileType[f"MOSTLY_{quantization}"])
    _keys(writer, variant, variant.shape)
    _vocabulary(writer, variant.shape.vocab_size, vocabulary)
    if parts > 1:
        writer.add_uint16("split.count", parts)
    size = 0
    listed = with_types(variant.shape, quantization)
    output = Tensor("output", (variant.shape.hidden_size, variant.shape.vocab_size))
    for tensor, kind in (*listed, (output, quantization)) if has_output else listed:
        shape: tuple[int, ...] = tuple(reversed(tensor.extents))
        code = gguf.GGMLQuantizationType[kind]
        if kind not in _DTYPES:
            shape = quant_shape_to_byte_shape(shape, code)
        count = tensor_bytes(kind, tensor)
        writer.add_tensor_info(tensor.name, shape, np.dtype(_DTYPES.get(kind, np.uint8)), count, raw_dtype=code)
        size += -(-count // 32) * 32
    finish(writer, size)


def write_drafter(variant: Variant, path: Path) -> None:
    """Write a variant's MTP assistant at F16, without the clusters that llama.cpp's converter leaves out."""
    shape, drafter = variant.shape, variant.drafter
    assert drafter
    name = "gemma4-assistant"
    writer = gguf.GGUFWriter(path, name)
    _vocabulary(writer, shape.vocab_size, None)
    writer.add_context_length(variant.context)
    writer.add_embedding_length(drafter.hidden_size)
    writer.add_block_count(drafter.num_hidden_layers)
    writer.add_feed_forward_length(drafter.intermediate_size)
    writer.add_head_count(drafter.num_attention_heads)
    sliding = [layer < drafter.num_hidden_layers - 1 for layer in range(drafter.num_hidden_layers)]
    heads = {True: shape.num_key_value_heads, False: shape.num_global_key_value_heads}
    writer.add_head_count_kv([heads[one] for one in sliding])
    _attention(writer, shape, sliding)
    writer.add_shared_kv_layers(drafter.num_hidden_layers)
    writer.add_uint32(f"{name}.embedding_length_out", shape.hidden_size)
    writer.add_uint32(f"{name}.nextn_predict_layers", drafter.num_hidden_layers)
    size = 0
    for tensor, extents in drafter_tensors(drafter, shape):
        if not tensor.startswith("mask_embd"):
            kind = "F16" if len(extents) > 1 else "F32"
            code, dtype = gguf.GGMLQuantizationType[kind], np.dtype(_DTYPES[kind])
            count = int(np.prod(extents)) * dtype.itemsize
            writer.add_tensor_info(tensor, tuple(reversed(extents)), dtype, count, raw_dtype=code)
            size += -(-count // 32) * 32
    finish(writer, size)


def finish(writer: gguf.GGUFWriter, size: int) -> None:
    """Write the header and end the file, as long as with `size` bytes of weights."""
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    assert writer.fout
    file = writer.fout[0]
    file.flush()
    file.truncate(-(-file.tell() // 32) * 32 + size)
    writer.close()


def _attention(writer: gguf.GGUFWriter, shape: Shape, sliding: list[bool]) -> None:
    writer.add_layer_norm_rms_eps(1e-6)
    for add in (writer.add_key_length, writer.add_value_length, writer.add_rope_dimension_count):
        add(shape.global_head_dim)
    for add in (writer.add_key_length_swa, writer.add_value_length_swa, writer.add_rope_dimension_count_swa):
        add(shape.head_dim)
    writer.add_sliding_window(shape.sliding_window)
    writer.add_sliding_window_pattern(sliding)


def _vocabulary(writer: gguf.GGUFWriter, size: int, vocabulary: tuple[list[str], list[str]] | None) -> None:
    if vocabulary is None:
        writer.add_tokenizer_model("no_vocab")
        writer.add_vocab_size(size)
        return
    tokens, merges = vocabulary
    writer.add_tokenizer_model("gemma4")
    writer.add_chat_template((paths.demo_checkpoint() / "chat_template.jinja").read_text(encoding="utf-8"))
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * size)
    writer.add_token_types([_token_type(token) for token in tokens])
    writer.add_token_merges(merges)
    writer.add_bos_token_id(2)
    writer.add_eos_token_id(1)


def _token_type(token: str) -> gguf.TokenType:
    if token.startswith("<0x"):
        return gguf.TokenType.BYTE
    return gguf.TokenType.CONTROL if len(token) > 2 and token[0] + token[-1] == "<>" else gguf.TokenType.NORMAL


def _keys(writer: gguf.GGUFWriter, variant: Variant, shape: Shape) -> None:
    layers = range(shape.num_hidden_layers)
    writer.add_context_length(variant.context)
    writer.add_embedding_length(shape.hidden_size)
    writer.add_block_count(shape.num_hidden_layers)
    writer.add_feed_forward_length([shape.feed_forward_width(layer) for layer in layers])
    writer.add_head_count(shape.num_attention_heads)
    writer.add_head_count_kv([shape.cache_width(layer) // shape.head_width(layer) for layer in layers])
    _attention(writer, shape, [shape.is_sliding(layer) for layer in layers])
    writer.add_shared_kv_layers(shape.num_kv_shared_layers)
    writer.add_embedding_length_per_layer_input(shape.hidden_size_per_layer_input)
    writer.add_rope_freq_base(1e6)
    writer.add_float32("gemma4.rope.freq_base_swa", 1e4)
    writer.add_final_logit_softcapping(30.0)
    if shape.num_experts:
        writer.add_expert_count(shape.num_experts)
        writer.add_expert_used_count(shape.top_k_experts)
        writer.add_expert_feed_forward_length(shape.moe_intermediate_size)
