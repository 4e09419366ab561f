"""Which tensor gets which type: as llama.cpp's converter decides, or its quantizer after it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from gguf import GGML_QUANT_SIZES, Keys, LlamaFileType
from gguf import GGMLQuantizationType as Type

from edgekit.catalog.mixture import is_quantizable, matches, types
from edgekit.catalog.quantization import BASE_TYPES, BLOCKS
from edgekit.catalog.recipe import Candidate, Choices, Recipe, Structure
from edgekit.convert.keys import Value
from edgekit.errors import UnsupportedError

FILE_TYPES = {name: LlamaFileType.ALL_F32 if name == "F32" else LlamaFileType[f"MOSTLY_{name}"] for name in BASE_TYPES}
PROJECTOR_QUANTIZATIONS = ("F32", "BF16", "F16", "Q8_0")
# What llama.cpp's converter makes by itself; the others it leaves to the quantizer.
_CONVERTED = ("F32", "BF16", "F16", "Q8_0")
# Other names of llama-quantize's.
_ALIASES = {"Q3_K": "Q3_K_M", "Q4_K": "Q4_K_M", "Q5_K": "Q5_K_M", "MXFP4": "MXFP4_MOE"}

# Convolutions, position tables and routers: llama.cpp has no other kernels for them.
_ALWAYS_F32 = re.compile(
    r"a\.conv1d\..+|a\.input_projection\..+|a\.blk\.\d+\.conv_dw\..+|v\.position_embd\..+"
    r"|blk\.\d+\.ffn_gate_inp\.weight|blk\.\d+\.altup_(correct|predict)_coef\.weight"
)
_PATCHES = "v.patch_embd.weight"


def tensor_types(
    recipe: Recipe, source: Type, tensors: Mapping[str, tuple[int, ...]], metadata: Mapping[str, Value]
) -> list[Type]:
    """Return the types of tensors by GGUF names and numpy shapes; `source` is the checkpoint's own type.

    Raises UnsupportedError where a type that a person chose does not fit.
    """
    if not uses_quantizer(recipe):
        return [_converted(Type[recipe.quantization], name, shape) for name, shape in tensors.items()]
    candidates = [
        Candidate(name, tuple(reversed(shape)), _converted(source, name, shape).name) for name, shape in tensors.items()
    ]
    _check_patterns(recipe, candidates)
    found = types(recipe, _structure(metadata), candidates)
    return [Type[found[name]] for name in tensors]


def uses_quantizer(recipe: Recipe) -> bool:
    """Return whether llama.cpp would take two steps: its converter, then llama-quantize."""
    return recipe.quantization not in _CONVERTED or recipe.choices != Choices()


def _check_patterns(recipe: Recipe, candidates: Sequence[Candidate]) -> None:
    patterns = [pattern for pattern, _ in recipe.choices.tensor_types]
    if patterns and BLOCKS[BASE_TYPES[recipe.quantization]][0] == 1:
        raise UnsupportedError(f"{recipe.quantization} keeps every tensor as it is: leave out --tensor-type or --quant")
    for pattern in patterns:
        if not any(is_quantizable(tensor) and matches(pattern, tensor.name) for tensor in candidates):
            raise UnsupportedError(f"--tensor-type {pattern}: no tensor that is quantized has such a name")


def _structure(metadata: Mapping[str, Value]) -> Structure:
    architecture = metadata[Keys.General.ARCHITECTURE].items[0]

    def first(key: str, default: int) -> int:
        value = metadata.get(key.format(arch=architecture))
        return int(value.items[0]) if value and value.items else default

    heads = first(Keys.Attention.HEAD_COUNT, 1)
    key_heads = first(Keys.Attention.HEAD_COUNT_KV, heads)
    layers, experts = first(Keys.LLM.BLOCK_COUNT, 0), first(Keys.LLM.EXPERT_COUNT, 0)
    return Structure(layers, heads // key_heads if key_heads else 0, experts)


def _converted(target: Type, name: str, shape: tuple[int, ...]) -> Type:
    """As convert_hf_to_gguf.py does with --outtype: conversion/base.py, prepare_tensors."""
    if _is_plain(name, shape) or _ALWAYS_F32.fullmatch(name):
        return Type.F32
    if name == _PATCHES:
        return Type.F16 if target == Type.F16 else Type.F32
    return Type.F16 if shape[-1] % GGML_QUANT_SIZES[target][0] else target


def _is_plain(name: str, shape: tuple[int, ...]) -> bool:
    return len(shape) < 2 or name.endswith("_norm.weight") or not name.endswith(".weight")


def check_quantization(name: str, known: Collection[str] = tuple(FILE_TYPES)) -> str:
    """Return a quantization's name as GGUF spells it; raises UnsupportedError for one that edgekit does not make."""
    found = _ALIASES.get(name.upper(), name.upper())
    if found not in known:
        raise UnsupportedError(f"edgekit makes {', '.join(known)}, not {name!r}")
    return found


def check_type(name: str) -> str:
    """Return the name of a tensor's type as ggml spells it; raises UnsupportedError for an unknown one."""
    if name.upper() not in BLOCKS:
        raise UnsupportedError(f"a tensor can be stored as {', '.join(BLOCKS)}, not {name!r}")
    return name.upper()


def parse_tensor_type(text: str) -> tuple[str, str]:
    """Return the pattern and the type of PATTERN=TYPE; raises UnsupportedError where it is none."""
    pattern, equals, kind = text.rpartition("=")
    if not (pattern and equals):
        raise UnsupportedError(f"{text!r} is not PATTERN=TYPE, as in ffn_down=Q6_K")
    try:
        re.compile(pattern)
    except re.error as problem:
        raise UnsupportedError(f"{pattern!r} is no regular expression: {problem}") from problem
    return pattern, check_type(kind)
