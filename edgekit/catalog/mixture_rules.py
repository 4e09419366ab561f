"""Which tensors inside the layers get more or fewer bits: llama_tensor_get_type_impl of llama.cpp's llama-quant.cpp."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.catalog.recipe import Recipe, Structure

LOWEST = ("IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ2_M")
# With eight experts the attention's output is small beside them.
_MORE_BESIDE_EIGHT = (
    *("Q2_K", "Q3_K_S", "Q3_K_M", "Q4_K_S", "Q4_K_M"),
    *("IQ3_XXS", "IQ3_XS", "IQ3_S", "IQ3_M", "IQ4_NL", "IQ4_XS"),
)
_ATTENTION_OUTPUT = {"Q2_K": "Q3_K", "IQ3_XXS": "IQ3_S", "Q3_K_M": "Q4_K", "Q3_K_L": "Q5_K", "IQ3_M": "Q4_K"}
_QUERIES_AND_KEYS = {"IQ3_XS": "IQ3_XXS", "IQ3_XXS": "IQ2_S"}


@dataclass(frozen=True)
class Place:
    """Which tensor of its category one is."""

    # As llama.cpp groups them: attn_v, attn_k, attn_q, attn_output, ffn_up, ffn_gate, ffn_down, or nothing.
    category: str
    # How many of the category came before it.
    index: int
    layer: int
    # How many there are in all; only known of attn_v.
    total: int


def mixed_type(recipe: Recipe, model: Structure, base: str, place: Place) -> str:
    """Return the type of a matrix inside a layer."""
    if recipe.quantization in LOWEST:
        return _lowest(recipe, model, place) or base
    return _usual(recipe, model, place) or base


def _lowest(recipe: Recipe, model: Structure, place: Place) -> str | None:
    is_second = recipe.quantization in ("IQ2_S", "IQ2_M")
    more = "IQ3_S" if is_second else "Q2_K"
    match place.category:
        case "attn_v":
            return "Q4_K" if model.heads_per_key >= 4 or model.experts >= 4 else more
        case "attn_k" if model.experts == 8:
            return "Q4_K"
        case "ffn_down" if place.index < model.layers // 8:
            return more
        case "attn_output" if model.experts == 8:
            return "Q5_K"
        case "attn_output" if is_second:
            return "IQ3_S"
        case "attn_output" if recipe.quantization in ("IQ1_S", "IQ1_M"):
            return "IQ2_XXS"
    return None


def _usual(recipe: Recipe, model: Structure, place: Place) -> str | None:
    # A layer of experts has several feed-forward tensors of a category.
    index = place.layer if model.experts > 1 else place.index
    match place.category:
        case "attn_v" | "attn_k" if model.experts == 8:
            return "Q8_0"
        case "attn_v":
            return _values(recipe, model, place)
        case "attn_k" | "attn_q":
            return _QUERIES_AND_KEYS.get(recipe.quantization)
        case "attn_output" if model.experts == 8:
            return "Q5_K" if recipe.quantization in _MORE_BESIDE_EIGHT else None
        case "attn_output":
            return _ATTENTION_OUTPUT.get(recipe.quantization)
        case "ffn_down":
            return _down(recipe, model, index)
        case "ffn_gate" | "ffn_up" if recipe.quantization == "IQ3_XS":
            return "IQ3_XXS" if model.layers // 8 <= index < 7 * model.layers // 8 else None
    return None


def _values(recipe: Recipe, model: Structure, place: Place) -> str | None:
    shared = model.heads_per_key >= 4
    match recipe.quantization:
        case "Q2_K":
            return "Q4_K" if shared else "Q3_K"
        case "IQ3_XXS" if not shared:
            return "IQ3_XXS" if recipe.has_importance else "IQ3_S"
        case "Q2_K_S" | "IQ3_XXS" | "IQ3_XS" | "IQ3_S" if shared:
            return "Q4_K"
        case "IQ3_M":
            return "Q4_K"
        case "Q3_K_M":
            return "Q5_K" if place.index < 2 else "Q4_K"
        case "Q3_K_L":
            return "Q5_K"
        case "IQ4_NL" | "IQ4_XS" if shared:
            return "Q5_K"
        case "Q4_K_M" | "Q5_K_M" if _takes_more_bits(place.index, place.total):
            return "Q6_K"
        case "Q4_K_S" if place.index < 4:
            return "Q5_K"
    return None


def _down(recipe: Recipe, model: Structure, index: int) -> str | None:
    is_early = index < model.layers // 8
    match recipe.quantization:
        case "Q2_K":
            return "Q3_K"
        case "Q3_K_L":
            return "Q5_K"
        case "Q3_K_M":
            return "Q5_K" if index < model.layers // 16 else "Q4_K"
        case "IQ3_XXS" if not recipe.has_importance:
            return "Q4_K" if is_early else "Q3_K"
        case "IQ3_M" if model.experts == 8 and _takes_more_bits(index, model.layers):
            return "Q4_K"
        case "Q4_K_M" | "Q5_K_M" if _takes_more_bits(index, model.layers):
            return "Q6_K"
        case "Q2_K_S" | "IQ3_M" if is_early:
            return "Q4_K"
        case "Q4_K_S" if is_early:
            return "Q5_K"
        case "IQ4_NL" | "IQ4_XS" if is_early and not recipe.has_importance:
            return "Q5_K"
        case "Q4_0" | "Q5_0" if is_early and recipe.has_importance:
            return recipe.quantization.replace("_0", "_1")
    return None


def _takes_more_bits(index: int, total: int) -> bool:
    return index < total // 8 or index >= 7 * total // 8 or (index - total // 8) % 3 == 2
