"""What config.json says about a Gemma 4: E2B, E4B, 12B, 26B-A4B, 31B, their drafters and what is shaped like them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgekit.convert.gemma4.layers import Layers, read_layers
from edgekit.convert.section import Section
from edgekit.errors import UnsupportedError

CONDITIONAL = "Gemma4ForConditionalGeneration"
UNIFIED = "Gemma4UnifiedForConditionalGeneration"
DRAFTERS = ("Gemma4AssistantForCausalLM", "Gemma4UnifiedAssistantForCausalLM")
# What edgekit converts, by the first of config.json's architectures; a model without towers has no text_config.
ARCHITECTURES = (CONDITIONAL, "Gemma4ForCausalLM", UNIFIED, "Gemma4UnifiedForCausalLM", *DRAFTERS)

# What transformers takes where a config does not say; the sizes that its defaults get wrong are not among them.
_TEXT = {
    "head_dim": 256,
    "hidden_size_per_layer_input": 256,
    "num_kv_shared_layers": 0,
    "sliding_window": 512,
    "max_position_embeddings": 131_072,
    "rms_norm_eps": 1e-6,
}
_UNIFIED_TEXT = _TEXT | {
    "hidden_size_per_layer_input": 0,
    "sliding_window": 1024,
    "max_position_embeddings": 262_144,
}
_VISION = {"patch_size": 16, "pooling_kernel_size": 3, "position_embedding_size": 10_240, "head_dim": 64}
_AUDIO = {
    "use_clipped_linears": True,
    "conv_kernel_size": 5,
    "output_proj_dims": 1536,
    "attention_chunk_size": 12,
    "attention_context_left": 13,
    "attention_context_right": 0,
    "attention_logit_cap": 50.0,
    "attention_invalid_logits_value": -1e9,
    "gradient_clipping": 1e10,
    "residual_weight": 0.5,
}
_UNIFIED_VISION = {"patch_size": 16, "pooling_kernel_size": 3, "mm_posemb_size": 1120, "mm_embed_dim": 3840}
_UNIFIED_AUDIO = {"audio_embed_dim": 640}


@dataclass(frozen=True)
class Experts:
    """The feed-forward layers of which each token takes a few."""

    count: int
    used: int
    intermediate_size: int


@dataclass(frozen=True)
class TextConfig:
    """The language model's shape."""

    hidden_size: int
    intermediate_size: int
    heads: int
    attention: Layers
    # Width of a layer's own embedding; 0 where there is none.
    per_layer_input: int
    double_wide_mlp: bool
    experts: Experts | None
    window: int
    context: int
    rms_norm_eps: float
    logit_softcap: float | None
    # Of a drafter: the width of the model for which it drafts.
    backbone_size: int | None

    @property
    def layers(self) -> int:
        """How many layers there are."""
        return len(self.attention.sliding)

    @property
    def own_kv_layers(self) -> int:
        """How many layers have keys and values of their own: the first ones."""
        return self.layers - self.attention.kv_shared

    def shares_kv(self, layer: int) -> bool:
        """Say whether a layer takes its keys and values from an earlier one, or from the model it drafts for."""
        return layer >= self.own_kv_layers

    def feed_forward(self, layer: int) -> int:
        """Return a layer's feed-forward width."""
        return self.intermediate_size * (2 if self.double_wide_mlp and self.shares_kv(layer) else 1)


@dataclass(frozen=True)
class Config:
    """A whole model's shape; a tower is None where the checkpoint has none."""

    text: TextConfig
    vision: Section | None
    audio: Section | None
    # Whether pictures and sound reach the model without a transformer in between.
    unified: bool
    is_drafter: bool


def read_config(values: Mapping[str, Any]) -> Config:
    """Read a parsed config.json, in the spelling of the releases or of transformers 5.

    Raises UnsupportedError for a model that llama.cpp's Gemma 4 cannot hold, FileError for a damaged config.
    """
    root = Section("config.json", values)
    name = architecture(values)
    drafter = name in DRAFTERS
    unified = "Unified" in str(name)
    defaults = _UNIFIED_TEXT if unified else _TEXT
    alone = Section("config.json", values, defaults)
    inside = root.section("text_config", defaults)
    if inside is None and (drafter or name in (CONDITIONAL, UNIFIED)):
        raise root.wrong("text_config", "no object")
    return Config(
        text=_text(inside or alone, root.whole("backbone_hidden_size") if drafter else None),
        vision=root.section("vision_config", _UNIFIED_VISION if unified else _VISION),
        audio=root.section("audio_config", _UNIFIED_AUDIO if unified else _AUDIO),
        unified=unified,
        is_drafter=drafter,
    )


def architecture(values: Mapping[str, Any]) -> str:
    """Return the name of a checkpoint's model class; raises FileError where it has none."""
    listed = values.get("architectures")
    name = listed[0] if isinstance(listed, list) and listed else values.get("model_type")
    if not isinstance(name, str):
        raise Section("config.json", values).wrong("architectures", "no list of names")
    return name


def _text(text: Section, backbone_size: int | None) -> TextConfig:
    if text.get("use_bidirectional_attention") == "all":
        raise UnsupportedError("the checkpoint's tokens see those behind them: llama.cpp has no such Gemma 4")
    return TextConfig(
        hidden_size=text.whole("hidden_size"),
        intermediate_size=text.whole("intermediate_size"),
        heads=text.whole("num_attention_heads"),
        attention=read_layers(text, all_shared=backbone_size is not None),
        per_layer_input=text.whole("hidden_size_per_layer_input"),
        double_wide_mlp=text.flag("use_double_wide_mlp"),
        experts=_experts(text) if text.flag("enable_moe_block") else None,
        window=text.whole("sliding_window"),
        context=text.whole("max_position_embeddings"),
        rms_norm_eps=text.number("rms_norm_eps"),
        logit_softcap=text.number("final_logit_softcapping") if text.flag("final_logit_softcapping") else None,
        backbone_size=backbone_size,
    )


def _experts(text: Section) -> Experts:
    return Experts(text.whole("num_experts"), text.whole("top_k_experts"), text.whole("moe_intermediate_size"))
