"""Which tensor gets which type: llama.cpp's rules for each quantization."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from gguf import GGML_QUANT_SIZES, LlamaFileType
from gguf import GGMLQuantizationType as Type

from edgekit.errors import UnsupportedError

FILE_TYPES = {
    "F32": LlamaFileType.ALL_F32,
    "BF16": LlamaFileType.MOSTLY_BF16,
    "F16": LlamaFileType.MOSTLY_F16,
    "Q8_0": LlamaFileType.MOSTLY_Q8_0,
    "Q4_0": LlamaFileType.MOSTLY_Q4_0,
}
PROJECTOR_QUANTIZATIONS = ("F32", "BF16", "F16", "Q8_0")

# Convolutions and position tables of the towers: llama.cpp has no other kernels for them.
_ALWAYS_F32 = re.compile(r"a\.conv1d\..+|a\.input_projection\..+|a\.blk\.\d+\.conv_dw\..+|v\.position_embd\..+")
_PATCHES = "v.patch_embd.weight"
_EMBEDDINGS = ("token_embd.weight", "per_layer_token_embd.weight")
_OUTPUT = "output.weight"
# Small beside the tables, and every token passes through it.
_KEPT_WHEN_QUANTIZED = "per_layer_model_proj"


@dataclass(frozen=True)
class Mixture:
    """A quantization and what its choice depends on besides a tensor's name and shape."""

    quantization: str
    # The checkpoint's own type: what a tensor that is not quantized stays in.
    source: Type = Type.BF16
    # Whether the model has an output matrix besides its token embeddings.
    has_output: bool = False

    def type(self, name: str, shape: tuple[int, ...]) -> Type:
        """Return the type of a tensor by its GGUF name and numpy shape."""
        if self.quantization == "Q4_0":
            return self._quantized(name, shape)
        return _converted(Type[self.quantization], name, shape)

    def _quantized(self, name: str, shape: tuple[int, ...]) -> Type:
        """As llama_model_quantize does: src/llama-quant.cpp, llama_tensor_get_type."""
        converted = _converted(self.source, name, shape)
        if (
            (converted == Type.F32 and self.source != Type.F32)
            or _is_plain(name, shape)
            or _KEPT_WHEN_QUANTIZED in name
        ):
            return converted
        target = Type[self.quantization]
        # The matrix that gives the logits, which is the token embeddings where they are tied, gets more bits.
        if name == _OUTPUT or (name in _EMBEDDINGS and not self.has_output):
            target = Type.Q8_0 if shape[-1] % _block(target) else Type.Q6_K
        if target == Type.Q6_K and shape[-1] % _block(target):
            target = Type.Q8_0
        return Type.F16 if shape[-1] % _block(target) else target


def _converted(target: Type, name: str, shape: tuple[int, ...]) -> Type:
    """As convert_hf_to_gguf.py does with --outtype: conversion/base.py, prepare_tensors."""
    if _is_plain(name, shape) or _ALWAYS_F32.fullmatch(name):
        return Type.F32
    if name == _PATCHES:
        return Type.F16 if target == Type.F16 else Type.F32
    return Type.F16 if shape[-1] % _block(target) else target


def _is_plain(name: str, shape: tuple[int, ...]) -> bool:
    return len(shape) < 2 or name.endswith("_norm.weight") or not name.endswith(".weight")


def _block(type: Type) -> int:
    return int(GGML_QUANT_SIZES[type][0])


def check_quantization(name: str, known: Collection[str] = tuple(FILE_TYPES)) -> str:
    """Return a quantization's name as GGUF spells it; raises UnsupportedError for one that edgekit does not make."""
    if name.upper() not in known:
        raise UnsupportedError(f"edgekit makes {', '.join(known)} today, not {name!r}")
    return name.upper()
