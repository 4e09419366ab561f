"""Write a projector of a variant's real widths, with few layers and no weights, and ask llama.cpp what it takes."""

from __future__ import annotations

import re
from pathlib import Path

import gguf
import numpy as np

from edgekit.catalog.variant import Tower
from edgekit.engine import native
from edgekit.engine.native import llama, mtmd

_LAYERS = 2
_CLIPS = (("input_max", 9.0), ("input_min", -9.0), ("output_max", 9.0), ("output_min", -9.0))
_AUDIO_OUTPUT = 1536


def write_projector(
    path: Path, width: int, *, vision: Tower | None = None, audio: Tower | None = None, layers: int = _LAYERS
) -> None:
    """Write a projector for a text model whose embeddings have `width` values; intermediate_size 0: no encoder."""
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_bool("clip.use_gelu", True)
    for kind, tower in (("vision", vision), ("audio", audio)):
        writer.add_bool(f"clip.has_{kind}_encoder", tower is not None)
        if tower:
            _keys(writer, kind, tower, width, layers)
    if vision:
        if vision.intermediate_size:
            _vision(writer, vision, width, layers)
        else:
            _large_patches(writer, vision, width)
    if audio:
        _audio(writer, audio, width, layers)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def warmed_up(model: Path, projector: Path, *, flash_attention: bool = True) -> float:
    """Return the MiB that llama.cpp reserves for 256 soft tokens of a picture, or for 30 seconds of sound."""
    native.start()
    text = llama.llama_model_load_from_file(bytes(model), llama.llama_model_default_params())
    params = mtmd.mtmd_context_params_default()
    params.use_gpu, params.warmup, params.n_threads = False, True, 1
    params.flash_attn_type = int(flash_attention)
    with native.overheard() as lines:
        context = mtmd.mtmd_init_from_file(bytes(projector), text, params)
    assert context, "".join(lines)[-500:]
    mtmd.mtmd_free(context)
    llama.llama_model_free(text)
    (found,) = re.findall(r"compute buffer size =\s*([\d.]+) MiB", "".join(lines))
    return float(found)


def _keys(writer: gguf.GGUFWriter, kind: str, tower: Tower, width: int, layers: int) -> None:
    place = f"clip.{kind}."
    unified = "" if tower.intermediate_size else "u"
    writer.add_string(place + "projector_type", f"gemma4{unified}{kind[0]}")
    writer.add_uint32(place + "projection_dim", width)
    writer.add_uint32(place + "embedding_length", tower.hidden_size)
    writer.add_uint32(place + "feed_forward_length", tower.intermediate_size)
    writer.add_uint32(place + "block_count", layers if tower.intermediate_size else 0)
    writer.add_uint32(place + "attention.head_count", tower.num_attention_heads)
    writer.add_float32(place + "attention.layer_norm_epsilon", 1e-6)
    if kind == "vision":
        writer.add_uint32(place + "image_size", 224)
        writer.add_uint32(place + "patch_size", 16)
        writer.add_array(place + "image_mean", [0.0, 0.0, 0.0])
        writer.add_array(place + "image_std", [1.0, 1.0, 1.0])
    else:
        writer.add_uint32(place + "num_mel_bins", 128)


def _plain(writer: gguf.GGUFWriter, name: str, *shape: int) -> None:
    writer.add_tensor(name, np.zeros(shape, np.float32))


def _linear(writer: gguf.GGUFWriter, name: str, rows: int, columns: int, *, clipped: bool = False) -> None:
    writer.add_tensor(f"{name}.weight", np.zeros((rows, columns), np.float16))
    for end, value in _CLIPS if clipped else ():
        writer.add_tensor(f"{name}.{end}", np.full(1, value, np.float32))


def _vision(writer: gguf.GGUFWriter, tower: Tower, width: int, layers: int) -> None:
    hidden, inner, clipped = tower.hidden_size, tower.intermediate_size, tower.clipped
    for layer in range(layers):
        place = f"v.blk.{layer}."
        for name in ("ln1", "ln2", "attn_post_norm", "ffn_post_norm"):
            _plain(writer, f"{place}{name}.weight", hidden)
        for name in ("attn_q_norm", "attn_k_norm"):
            _plain(writer, f"{place}{name}.weight", hidden // tower.num_attention_heads)
        for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
            _linear(writer, place + name, hidden, hidden, clipped=clipped)
        for name in ("ffn_gate", "ffn_up"):
            _linear(writer, place + name, inner, hidden, clipped=clipped)
        _linear(writer, place + "ffn_down", hidden, inner, clipped=clipped)
    _plain(writer, "v.patch_embd.weight", hidden, 3, 16, 16)
    _plain(writer, "v.position_embd.weight", 2, 128, hidden)
    _linear(writer, "mm.input_projection", width, hidden)


def _large_patches(writer: gguf.GGUFWriter, tower: Tower, width: int) -> None:
    hidden, pixels = tower.hidden_size, 48 * 48 * 3
    for number, size in ((1, pixels), (2, hidden), (3, hidden)):
        for name in ("weight", "bias"):
            _plain(writer, f"v.patch_norm.{number}.{name}", size)
    writer.add_tensor("v.patch_embd.weight", np.zeros((hidden, pixels), np.float16))
    _plain(writer, "v.patch_embd.bias", hidden)
    _plain(writer, "v.position_embd.weight", 2, 1120, hidden)
    _linear(writer, "mm.input_projection", width, hidden)


def _audio(writer: gguf.GGUFWriter, tower: Tower, width: int, layers: int) -> None:
    hidden, inner = tower.hidden_size, tower.intermediate_size
    if not inner:
        _linear(writer, "mm.a.input_projection", width, hidden)
        return
    for layer in range(layers):
        place = f"a.blk.{layer}."
        norms = ("ffn_norm", "ffn_post_norm", "ffn_norm_1", "ffn_post_norm_1", "norm_conv", "conv_norm", "ln2")
        for name in (*norms, "attn_pre_norm", "attn_post_norm"):
            _plain(writer, f"{place}{name}.weight", hidden)
        for suffix in ("", "_1"):
            _linear(writer, f"{place}ffn_up{suffix}", inner, hidden, clipped=True)
            _linear(writer, f"{place}ffn_down{suffix}", hidden, inner, clipped=True)
        _linear(writer, place + "conv_pw1", 2 * hidden, hidden, clipped=True)
        for name in ("conv_pw2", "attn_q", "attn_k", "attn_v", "attn_out"):
            _linear(writer, place + name, hidden, hidden, clipped=True)
        _linear(writer, place + "attn_k_rel", hidden, hidden)
        _plain(writer, place + "conv_dw.weight", hidden, 5)
        _plain(writer, place + "per_dim_scale.weight", hidden // tower.num_attention_heads)
    _plain(writer, "a.pre_encode.out.bias", _AUDIO_OUTPUT)
    _linear(writer, "a.pre_encode.out", _AUDIO_OUTPUT, hidden)
    _plain(writer, "a.input_projection.weight", hidden, 1024)
    for number, (outer, inner_channels) in enumerate(((128, 1), (32, 128))):
        _plain(writer, f"a.conv1d.{number}.weight", outer, inner_channels, 3, 3)
        _plain(writer, f"a.conv1d.{number}.norm.weight", outer)
    _linear(writer, "mm.a.input_projection", width, _AUDIO_OUTPUT)
