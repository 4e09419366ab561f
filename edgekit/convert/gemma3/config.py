"""What config.json says about a Gemma 3."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgekit.convert.section import Section
from edgekit.errors import UnsupportedError

ARCHITECTURES = ("Gemma3ForCausalLM", "Gemma3ForConditionalGeneration")
# What transformers takes where a config does not say; the released ones leave much to it.
_TEXT = {
    "vocab_size": 262_208,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 256,
    "query_pre_attn_scalar": 256,
    "max_position_embeddings": 131_072,
    "rms_norm_eps": 1e-6,
    "sliding_window": 4096,
    "rope_theta": 1e6,
    "rope_local_base_freq": 1e4,
}
_VISION = {"image_size": 224, "patch_size": 16, "layer_norm_eps": 1e-6}
# llama.cpp knows no other order of layers: every sixth looks at the whole text.
_PERIOD = 6
_LAYERS_OF_27B = 62


@dataclass(frozen=True)
class TextConfig:
    """The language model's shape."""

    vocabulary: int
    hidden_size: int
    intermediate_size: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    # None where every layer looks at the whole text.
    window: int | None
    context: int
    rope_theta: float
    rope_theta_sliding: float
    # How far positions are stretched on global layers; None where they are not.
    rope_factor: float | None
    rms_norm_eps: float
    logit_softcap: float | None


@dataclass(frozen=True)
class Config:
    """A whole model's shape; `vision` is None where the checkpoint has no tower."""

    text: TextConfig
    vision: Section | None


def read_config(values: Mapping[str, Any]) -> Config:
    """Read a parsed config.json, in the spelling of the releases or of transformers 5.

    Raises UnsupportedError for a model that llama.cpp's Gemma 3 cannot hold, FileError for a damaged config.
    """
    root = Section("config.json", values, _TEXT)
    return Config(_text(root.section("text_config", _TEXT) or root), root.section("vision_config", _VISION))


def _text(text: Section) -> TextConfig:
    layers = text.layers()
    _check_order(text, layers)
    _check_scale(text, layers)
    if text.get("use_bidirectional_attention"):
        raise UnsupportedError("the checkpoint's tokens see those behind them: llama.cpp has no such Gemma 3")
    theta, near, factor = rope(text)
    return TextConfig(
        vocabulary=text.whole("vocab_size"),
        hidden_size=text.whole("hidden_size"),
        intermediate_size=text.whole("intermediate_size"),
        layers=layers,
        heads=text.whole("num_attention_heads"),
        kv_heads=text.whole("num_key_value_heads"),
        head_dim=text.whole("head_dim"),
        window=None if text.get("sliding_window_pattern") == 1 else text.whole("sliding_window"),
        context=text.whole("max_position_embeddings"),
        rope_theta=theta,
        rope_theta_sliding=near,
        rope_factor=factor,
        rms_norm_eps=text.number("rms_norm_eps"),
        logit_softcap=text.number("final_logit_softcapping") if text.flag("final_logit_softcapping") else None,
    )


def _check_scale(text: Section, layers: int) -> None:
    # llama.cpp reads no scale from a file: it goes by the width of a head, and in 27B by the model's.
    hidden, heads = text.whole("hidden_size"), text.whole("num_attention_heads")
    granted = hidden // max(1, heads) if layers == _LAYERS_OF_27B else text.whole("head_dim")
    if text.number("query_pre_attn_scalar") != granted:
        given = text.get("query_pre_attn_scalar")
        raise UnsupportedError(f"{text.name}: llama.cpp's Gemma 3 has query_pre_attn_scalar {granted}, not {given}")


def _check_order(text: Section, layers: int) -> None:
    kinds = text.get("layer_types")
    usual = ["full_attention" if (layer + 1) % _PERIOD == 0 else "sliding_attention" for layer in range(layers)]
    if kinds not in (None, usual) or text.get("sliding_window_pattern") not in (None, 1, _PERIOD):
        raise UnsupportedError("the checkpoint's layers attend in another order than every Gemma 3's: llama.cpp cannot")


def rope(text: Section) -> tuple[float, float, float | None]:
    """Return the base of rotation on global and on sliding layers, and the factor of global positions."""
    both = text.section_or_defaults("rope_parameters", {})
    full = both.section("full_attention") or text.section("rope_scaling") or Section("rope_scaling", {})
    near = both.section_or_defaults("sliding_attention", {})
    kind = full.get("rope_type") or full.get("type") or "default"
    if kind not in ("default", "linear"):
        raise UnsupportedError(f"the checkpoint's global layers rotate in a {kind!r} way, which edgekit cannot write")
    theta = full.number("rope_theta") if full.get("rope_theta") is not None else text.number("rope_theta")
    local = near.number("rope_theta") if near.get("rope_theta") is not None else text.number("rope_local_base_freq")
    return theta, local, full.number("factor") if kind == "linear" else None
