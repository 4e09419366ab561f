"""Which type llama-quantize stores a tensor in: the rules of llama.cpp's src/llama-quant.cpp, for Gemma's tensors."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from edgekit.catalog.mixture_rules import LOWEST, Place, mixed_type
from edgekit.catalog.quantization import BASE_TYPES, BLOCKS
from edgekit.catalog.recipe import Candidate, Recipe, Structure
from edgekit.errors import UnsupportedError

# Rows that a type's blocks of 256 do not divide get a type of 32-value blocks, or else F16.
_NARROW = {
    **dict.fromkeys(("IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ4_XS"), "IQ4_NL"),
    **dict.fromkeys(("Q2_K", "Q3_K"), "Q4_0"),
    "Q4_K": "Q5_0",
    "Q5_K": "Q5_1",
    "Q6_K": "Q8_0",
}
_PER_LAYER_EMBEDDINGS = "per_layer_token_embd.weight"
_EMBEDDINGS = ("token_embd.weight", _PER_LAYER_EMBEDDINGS)
_OUTPUT = "output.weight"
# What llama.cpp looks for in a name, in its order, and what it calls what it finds.
_CATEGORIES = {
    "attn_v.weight": "attn_v",
    "attn_k.weight": "attn_k",
    "attn_q.weight": "attn_q",
    "attn_output.weight": "attn_output",
    "ffn_up": "ffn_up",
    "ffn_gate": "ffn_gate",
    "ffn_down": "ffn_down",
}
# Small beside the others, and every token passes through them.
_NEVER_QUANTIZED = ("_norm.weight", "ffn_gate_inp.weight", "per_layer_model_proj", "altup", "laurel")
# Types that are noise without an importance matrix; for the first three of them ggml ends the process.
_NEED_IMPORTANCE = ("IQ1_S", "IQ2_XXS", "IQ2_XS", "IQ1_M", "IQ2_S", "IQ3_XXS")
_UNTIED_EMBEDDINGS = {
    **dict.fromkeys(("IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS"), "Q2_K"),
    **dict.fromkeys(("IQ2_S", "IQ2_M", "IQ3_XXS"), "IQ3_S"),
}


def types(recipe: Recipe, model: Structure, tensors: Iterable[Candidate]) -> dict[str, str]:
    """Return the type of each tensor by name; UnsupportedError where a chosen type does not divide a tensor's rows."""
    # The rules count tensors of a category in llama.cpp's own order.
    ordered = sorted(tensors, key=lambda tensor: _place(tensor.name))
    mixture = _Mixture(recipe, model, ordered)
    return {tensor.name: mixture.type(tensor) for tensor in ordered}


def is_quantizable(tensor: Candidate) -> bool:
    """Return whether llama-quantize changes a tensor at all."""
    return max(tensor.extents[1:], default=1) > 1 and _may_be_quantized(tensor.name)


@lru_cache(maxsize=8192)
def _may_be_quantized(name: str) -> bool:
    return name.endswith("weight") and not any(part in name for part in _NEVER_QUANTIZED)


def needs_importance(name: str, kind: str, quantization: str) -> bool:
    """Return whether llama-quantize refuses to store a tensor as `kind` without an importance matrix for it."""
    if name in _EMBEDDINGS or name == _OUTPUT:
        return kind in _NEED_IMPORTANCE[:3]
    return kind in _NEED_IMPORTANCE or (kind == "Q2_K" and quantization == "Q2_K_S")


def matches(pattern: str, name: str) -> bool:
    """Return whether a pattern of --tensor-type is found in a tensor's name."""
    return re.search(pattern, name, re.IGNORECASE) is not None


class _Mixture:
    def __init__(self, recipe: Recipe, model: Structure, tensors: list[Candidate]) -> None:
        self._recipe, self._choices, self._model = recipe, recipe.choices, model
        self._base = BASE_TYPES[recipe.quantization]
        self._total = sum(_category(tensor.name) == "attn_v" for tensor in tensors)
        self._is_tied = all(tensor.name != _OUTPUT for tensor in tensors)
        self._seen: Counter[str] = Counter()

    def type(self, tensor: Candidate) -> str:
        """As llama_tensor_get_type."""
        if not is_quantizable(tensor):
            return tensor.kind
        by_pattern = next((kind for pattern, kind in self._choices.tensor_types if matches(pattern, tensor.name)), None)
        if by_option := self._by_option(tensor.name, by_pattern):
            return _dividing(by_option, tensor)
        if BLOCKS[self._base][0] == 1:
            return self._base
        kind = by_pattern or (self._base if self._choices.pure else self._mixed(tensor))
        return _fitting(kind, tensor.extents[0])

    def _by_option(self, name: str, by_pattern: str | None) -> str | None:
        if name == _OUTPUT:
            return self._choices.output
        # --token-embedding-type counts for both tables, but a pattern may name the larger one.
        takes_embedding_type = name in _EMBEDDINGS and not (by_pattern and name == _PER_LAYER_EMBEDDINGS)
        return self._choices.token_embedding if takes_embedding_type else None

    def _mixed(self, tensor: Candidate) -> str:
        """As llama_tensor_get_type_impl."""
        quantization = self._recipe.quantization
        # The matrix that gives the logits, which is the token embeddings where they are tied, gets more bits.
        if tensor.name == _OUTPUT or (tensor.name in _EMBEDDINGS and self._is_tied):
            return self._choices.output or self._logits(tensor.extents[0])
        if quantization == "MXFP4_MOE":
            return "MXFP4" if tensor.extents[2:3] > (1,) else "Q8_0"
        if tensor.name in _EMBEDDINGS:
            return _UNTIED_EMBEDDINGS.get(quantization, self._base)
        category = _category(tensor.name)
        place = Place(category, self._seen[category], _layer(tensor.name), self._total)
        self._seen[category] += 1
        return mixed_type(self._recipe, self._model, self._base, place)

    def _logits(self, width: int) -> str:
        if self._recipe.quantization == "MXFP4_MOE" or width % BLOCKS[self._base][0]:
            return "Q8_0"
        if self._recipe.quantization in (*LOWEST, "IQ3_XXS"):
            return "Q5_K"
        return "Q8_0" if self._base == "Q8_0" else "Q6_K"


# Every quantization asks the same of the same names, which `edgekit pick` waits for.
@lru_cache(maxsize=8192)
def _category(name: str) -> str:
    return next((category for part, category in _CATEGORIES.items() if part in name), "")


@lru_cache(maxsize=8192)
def _layer(name: str) -> int:
    match = re.match(r"blk\.(\d+)\.", name)
    return int(match[1]) if match else -1


@lru_cache(maxsize=8192)
def _place(name: str) -> tuple[int, bytes]:
    return _layer(name), name.encode()


def _fitting(kind: str, width: int) -> str:
    if width % BLOCKS[kind][0]:
        kind = _NARROW.get(kind, kind)
    return "F16" if width % BLOCKS[kind][0] else kind


def _dividing(kind: str, tensor: Candidate) -> str:
    if tensor.extents[0] % BLOCKS[kind][0]:
        raise UnsupportedError(
            f"{tensor.name} cannot be stored as {kind}: its rows of {tensor.extents[0]} values are no multiple of "
            f"{BLOCKS[kind][0]}; choose another type for it"
        )
    return kind
