"""Write a Gemma 4 text checkpoint of a variant's real shape in Hugging Face layout, and a LoRA adapter for it.

Usage: python benchmarks/synthetic_checkpoint.py {E2B,E4B,31B} FOLDER [--small] [--sparse]

FOLDER is the checkpoint and FOLDER-lora the adapter, of rank 16 on every linear layer. The weights are noise, good for
timing and memory and not for answers; with --sparse they are zeros that take no room on disk. --small keeps the kinds
of layers and makes the whole a twelfth as large.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from safetensors.numpy import save_file

from edgekit.catalog.load import variants
from edgekit.catalog.variant import Shape

_SPECIAL = ["<pad>", "<eos>", "<bos>", "<unk>", "<|turn>", "<turn|>", "<|channel>", "<channel|>", "<|think|>"]
_PREFIX = "model.language_model."
_TARGETS = "(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"
_RANK = 16
# Values that are drawn once and then repeated, and how large a shard may become.
_NOISE = 1 << 24
_SHARD = 2_000_000_000


@dataclass(frozen=True)
class Tensor:
    """A tensor of the checkpoint; norms are all ones."""

    name: str
    shape: tuple[int, ...]
    is_norm: bool = False

    @property
    def bytes(self) -> int:
        """What it takes in bf16."""
        return 2 * int(np.prod(self.shape))


def write_checkpoint(shape: Shape, folder: Path, *, sparse: bool = False) -> Path:
    """Write checkpoint and adapter of a dense variant and return the adapter's folder."""
    folder.mkdir(parents=True)
    _write_weights(list(tensors(shape)), folder, sparse=sparse)
    _dump(folder / "config.json", _config(shape))
    _write_tokenizer(shape.vocab_size, folder)
    return _write_adapter(shape, folder)


def small(shape: Shape) -> Shape:
    """Return a shape of the same kinds of layers, small enough to try things out in a minute."""
    layers = 2 * shape.full_attention_interval
    shared = layers * shape.num_kv_shared_layers // shape.num_hidden_layers
    widths = {"hidden_size": 768, "intermediate_size": 3072, "vocab_size": 65_536}
    return replace(shape, num_hidden_layers=layers, num_kv_shared_layers=shared, **widths)


def tensors(shape: Shape) -> Iterator[Tensor]:
    """Yield the tensors in the order of the file."""
    hidden, per_layer = shape.hidden_size, shape.hidden_size_per_layer_input
    yield Tensor("embed_tokens.weight", (shape.vocab_size, hidden))
    if per_layer:
        width = shape.num_hidden_layers * per_layer
        yield Tensor("embed_tokens_per_layer.weight", (shape.vocab_size, width))
        yield Tensor("per_layer_model_projection.weight", (width, hidden))
        yield Tensor("per_layer_projection_norm.weight", (per_layer,), is_norm=True)
    yield Tensor("norm.weight", (hidden,), is_norm=True)
    for layer in range(shape.num_hidden_layers):
        inside = f"layers.{layer}."
        yield from (Tensor(f"{inside}{name}.weight", size) for name, size in linears(shape, layer))
        for name in ("q_norm", "k_norm"):
            yield Tensor(f"{inside}self_attn.{name}.weight", (shape.head_width(layer),), is_norm=True)
        norms = ["input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm"]
        norms += ["post_feedforward_layernorm", *(["post_per_layer_input_norm"] if per_layer else [])]
        yield from (Tensor(f"{inside}{name}.weight", (hidden,), is_norm=True) for name in norms)
        yield Tensor(f"{inside}layer_scalar", (1,), is_norm=True)
        if per_layer:
            yield Tensor(f"{inside}per_layer_input_gate.weight", (per_layer, hidden))
            yield Tensor(f"{inside}per_layer_projection.weight", (hidden, per_layer))


def linears(shape: Shape, layer: int) -> list[tuple[str, tuple[int, int]]]:
    """Return the layers that an adapter changes, with rows and columns."""
    hidden, wide = shape.hidden_size, shape.feed_forward_width(layer)
    queries, cache = shape.num_attention_heads * shape.head_width(layer), shape.cache_width(layer)
    shares_values = shape.attention_k_eq_v and not shape.is_sliding(layer)
    return [
        ("self_attn.q_proj", (queries, hidden)),
        ("self_attn.k_proj", (cache, hidden)),
        *([] if shares_values else [("self_attn.v_proj", (cache, hidden))]),
        ("self_attn.o_proj", (hidden, queries)),
        ("mlp.gate_proj", (wide, hidden)),
        ("mlp.up_proj", (wide, hidden)),
        ("mlp.down_proj", (hidden, wide)),
    ]


def _write_weights(listed: list[Tensor], folder: Path, *, sparse: bool) -> None:
    shards: list[list[Tensor]] = [[]]
    for tensor in listed:
        if shards[-1] and sum(one.bytes for one in shards[-1]) + tensor.bytes > _SHARD:
            shards.append([])
        shards[-1].append(tensor)
    places = {}
    for number, shard in enumerate(shards, start=1):
        name = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        places |= {_PREFIX + tensor.name: name for tensor in shard}
        _write_shard(shard, folder / name, sparse=sparse)
    total = sum(tensor.bytes for tensor in listed)
    _dump(folder / "model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": places})


def _write_shard(shard: list[Tensor], path: Path, *, sparse: bool) -> None:
    """Write as a stream: the largest table of E2B alone has 4.7 GB."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for tensor in shard:
        place = [end, end := end + tensor.bytes]
        header[_PREFIX + tensor.name] = {"dtype": "BF16", "shape": list(tensor.shape), "data_offsets": place}
    head = json.dumps(header).encode()
    dice = np.random.default_rng(0)
    noise = (dice.standard_normal(_NOISE, np.float32) * 0.02).astype(ml_dtypes.bfloat16).tobytes()
    with path.open("wb") as file:
        file.write(len(head).to_bytes(8, "little") + head)
        for tensor in shard:
            if tensor.is_norm:
                file.write(np.ones(tensor.shape, ml_dtypes.bfloat16).tobytes())
            elif sparse:
                file.seek(tensor.bytes, 1)
            else:
                start = 2 * int(dice.integers(_NOISE // 2))
                for begin in range(0, tensor.bytes, len(noise) - start):
                    file.write(noise[start : start + tensor.bytes - begin])
        file.truncate(8 + len(head) + end)


def _write_adapter(shape: Shape, checkpoint: Path) -> Path:
    folder = checkpoint.with_name(f"{checkpoint.name}-lora")
    folder.mkdir()
    dice = np.random.default_rng(1)
    halves = {}
    for layer in range(shape.num_hidden_layers):
        for name, (rows, columns) in linears(shape, layer):
            key = f"base_model.model.{_PREFIX}layers.{layer}.{name}"
            halves[f"{key}.lora_A.weight"] = dice.standard_normal((_RANK, columns), np.float32) * np.float32(0.01)
            halves[f"{key}.lora_B.weight"] = dice.standard_normal((rows, _RANK), np.float32) * np.float32(0.01)
    save_file(halves, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    settings = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": _RANK, "lora_alpha": _RANK, "inference_mode": True}
    settings |= {"base_model_name_or_path": str(checkpoint), "target_modules": rf".*language_model.*\.{_TARGETS}"}
    _dump(folder / "adapter_config.json", settings)
    return folder


def _config(shape: Shape) -> dict[str, Any]:
    layers = range(shape.num_hidden_layers)
    text = {
        "model_type": "gemma4_text",
        "vocab_size": shape.vocab_size,
        "vocab_size_per_layer_input": shape.vocab_size,
        "hidden_size": shape.hidden_size,
        "intermediate_size": shape.intermediate_size,
        "num_hidden_layers": shape.num_hidden_layers,
        "num_attention_heads": shape.num_attention_heads,
        "num_key_value_heads": shape.num_key_value_heads,
        "num_global_key_value_heads": shape.num_global_key_value_heads if shape.attention_k_eq_v else None,
        "head_dim": shape.head_dim,
        "global_head_dim": shape.global_head_dim,
        "hidden_size_per_layer_input": shape.hidden_size_per_layer_input,
        "num_kv_shared_layers": shape.num_kv_shared_layers,
        "layer_types": ["sliding_attention" if shape.is_sliding(layer) else "full_attention" for layer in layers],
        "sliding_window": shape.sliding_window,
        "use_double_wide_mlp": shape.use_double_wide_mlp,
        "attention_k_eq_v": shape.attention_k_eq_v,
        "enable_moe_block": False,
        "final_logit_softcapping": 30.0,
        "max_position_embeddings": 131_072,
        "rms_norm_eps": 1e-6,
        "hidden_activation": "gelu_pytorch_tanh",
        "bos_token_id": 2,
        "eos_token_id": 1,
        "pad_token_id": 0,
        "tie_word_embeddings": True,
        "dtype": "bfloat16",
        "rope_parameters": {
            "full_attention": {"partial_rotary_factor": 0.25, "rope_theta": 1e6, "rope_type": "proportional"},
            "sliding_attention": {"rope_theta": 1e4, "rope_type": "default"},
        },
    }
    return {
        "architectures": ["Gemma4ForConditionalGeneration"],
        "model_type": "gemma4",
        "dtype": "bfloat16",
        "tie_word_embeddings": True,
        "text_config": text,
    }


def _write_tokenizer(size: int, folder: Path) -> None:
    tokens = [*_SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "t", "▁t"]
    tokens += [f"▁t{number}" for number in range(len(tokens), size)]
    added = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    tokenizer = {
        "version": "1.0",
        "added_tokens": [{"id": number, "content": token, **added} for number, token in enumerate(_SPECIAL)],
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
            ],
        },
        "model": {
            "type": "BPE",
            "unk_token": "<unk>",
            "fuse_unk": True,
            "byte_fallback": True,
            "vocab": {token: number for number, token in enumerate(tokens)},
            "merges": [["▁", "t"]],
        },
    }
    names = {f"{name}_token": f"<{name}>" for name in ("bos", "eos", "pad", "unk")}
    _dump(folder / "tokenizer.json", tokenizer)
    _dump(folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", **names})


def _dump(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")


def main() -> None:
    """Write what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variant", choices=["E2B", "E4B", "31B"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--sparse", action="store_true")
    asked = parser.parse_args()
    shape = next(one.shape for one in variants() if one.name == asked.variant)
    write_checkpoint(small(shape) if asked.small else shape, asked.folder, sparse=asked.sparse)


if __name__ == "__main__":
    main()
