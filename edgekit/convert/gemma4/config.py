"""What config.json says about a Gemma 4 of the E architecture (E2B, E4B and what is shaped like them)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgekit.errors import FileError, UnsupportedError

ARCHITECTURE = "Gemma4ForConditionalGeneration"


@dataclass(frozen=True)
class TextConfig:
    """The language model's shape."""

    hidden_size: int
    intermediate_size: int
    layers: int
    heads: int
    # On sliding and on global layers.
    kv_heads: int
    global_kv_heads: int | None
    head_dim: int
    global_head_dim: int
    kv_shared_layers: int
    # Width of a layer's own embedding.
    per_layer_input: int
    double_wide_mlp: bool
    # For each layer, whether it looks back only as far as the window.
    sliding: tuple[bool, ...]
    window: int
    context: int
    rope_theta: float
    rope_theta_sliding: float
    # The part of a global head that is rotated.
    rotary_factor: float
    rms_norm_eps: float
    logit_softcap: float | None

    def shares_kv(self, layer: int) -> bool:
        """Say whether a layer takes its keys and values from an earlier one."""
        return layer >= self.layers - self.kv_shared_layers


@dataclass(frozen=True)
class TowerConfig:
    """The shape of the vision or the audio tower."""

    hidden_size: int
    intermediate_size: int
    layers: int
    heads: int
    # Whether its linear layers bound their inputs and outputs.
    clipped: bool


@dataclass(frozen=True)
class Config:
    """A whole model's shape; a tower is None where the checkpoint has none."""

    text: TextConfig
    vision: TowerConfig | None
    patch_size: int
    audio: TowerConfig | None


class _Section:
    """One object of config.json, whose values are checked as they are read."""

    def __init__(self, name: str, values: Mapping[str, Any]) -> None:
        self.name = name
        self.values = values

    def whole(self, key: str, default: int | None = None) -> int:
        value = self.values.get(key, default)
        # A thousand times the largest that exists: a damaged number must not become an allocation.
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 1 << 30:
            raise self.wrong(key, "no whole number")
        return value

    def number(self, key: str, default: float) -> float:
        value = self.values.get(key)
        value = default if value is None else value
        # GGUF keeps it in 32 bits.
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e38:
            raise self.wrong(key, "no number")
        return float(value)

    def flag(self, key: str, default: bool = False) -> bool:
        return bool(self.values.get(key, default))

    def section(self, key: str) -> _Section | None:
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise self.wrong(key, "no object")
        return _Section(f"{self.name}.{key}", value)

    def wrong(self, key: str, what: str) -> FileError:
        state = f"is {what}: {json.dumps(self.values[key])[:60]}" if key in self.values else "is missing"
        return FileError(f"{self.name}: {key} {state}; download the checkpoint's config.json again")


def read_config(values: Mapping[str, Any]) -> Config:
    """Read a parsed config.json, in the spelling of the releases or of transformers 5.

    Raises UnsupportedError for a model of another architecture, FileError for a damaged config.
    """
    root = _Section("config.json", values)
    architectures = values.get("architectures")
    name = architectures[0] if isinstance(architectures, list) and architectures else values.get("model_type")
    if not isinstance(name, str):
        raise root.wrong("architectures", "no list of names")
    if name != ARCHITECTURE:
        raise UnsupportedError(f"the checkpoint is a {name}; {_TODAY}")
    text = root.section("text_config")
    if text is None:
        raise root.wrong("text_config", "no object")
    if (
        text.flag("enable_moe_block")
        or text.flag("attention_k_eq_v")
        or not text.whole("hidden_size_per_layer_input", 256)
    ):
        raise UnsupportedError(f"the checkpoint is a Gemma 4 without per-layer embeddings or with experts; {_TODAY}")
    vision, audio = root.section("vision_config"), root.section("audio_config")
    return Config(
        text=_text(text),
        vision=_tower(vision, vision.whole("intermediate_size"), clipped=False) if vision else None,
        patch_size=vision.whole("patch_size", 16) if vision else 0,
        # A conformer's feed-forward is always four times as wide as the conformer.
        audio=_tower(audio, 4 * audio.whole("hidden_size"), clipped=True) if audio else None,
    )


_TODAY = "edgekit converts E2B and E4B checkpoints today (Gemma4ForConditionalGeneration): use llama.cpp's converter"


def _text(text: _Section) -> TextConfig:
    sliding = _sliding(text)
    full, near = _rope(text)
    head_dim = text.whole("head_dim", 256)
    return TextConfig(
        hidden_size=text.whole("hidden_size"),
        intermediate_size=text.whole("intermediate_size"),
        layers=len(sliding),
        heads=text.whole("num_attention_heads"),
        kv_heads=text.whole("num_key_value_heads"),
        # The releases' own key counts only where keys serve as values, which no E model does.
        global_kv_heads=_of_global_layers(text, None, "num_key_value_heads", sliding),
        head_dim=head_dim,
        global_head_dim=_of_global_layers(text, "global_head_dim", "head_dim", sliding) or 512,
        kv_shared_layers=text.whole("num_kv_shared_layers", 0),
        per_layer_input=text.whole("hidden_size_per_layer_input", 256),
        double_wide_mlp=text.flag("use_double_wide_mlp"),
        sliding=sliding,
        window=text.whole("sliding_window", 512),
        context=text.whole("max_position_embeddings", 131_072),
        rope_theta=full.number("rope_theta", 1e6),
        rope_theta_sliding=near.number("rope_theta", 1e4),
        rotary_factor=full.number("partial_rotary_factor", 0.25),
        rms_norm_eps=text.number("rms_norm_eps", 1e-6),
        logit_softcap=text.number("final_logit_softcapping", 0.0)
        if text.values.get("final_logit_softcapping")
        else None,
    )


def _sliding(text: _Section) -> tuple[bool, ...]:
    layers = text.whole("num_hidden_layers")
    kinds = text.values.get("layer_types") or [
        # What transformers takes where the checkpoint does not say.
        "full_attention" if (layer + 1) % 6 == 0 else "sliding_attention"
        for layer in range(min(layers, 1000))
    ]
    known = ("full_attention", "sliding_attention")
    if not isinstance(kinds, list) or not 0 < len(kinds) == layers or any(kind not in known for kind in kinds):
        raise text.wrong("layer_types", f"no list of {layers} kinds of attention")
    # transformers makes the last layer global whatever the checkpoint says.
    return (*(kind == "sliding_attention" for kind in kinds[:-1]), False)


def _rope(text: _Section) -> tuple[_Section, _Section]:
    rope = text.section("rope_parameters") or _Section("rope_parameters", {})
    full = rope.section("full_attention") or _Section("full_attention", {"rope_type": "proportional"})
    if full.values.get("rope_type") != "proportional":
        raise UnsupportedError(f"global layers rotate in a {full.values.get('rope_type')!r} way; {_TODAY}")
    return full, rope.section("sliding_attention") or _Section("sliding_attention", {})


def _of_global_layers(text: _Section, released: str | None, inside: str, sliding: tuple[bool, ...]) -> int | None:
    """Find a number of the global layers: a key of its own in the releases, per layer since transformers 5.23."""
    if released and text.values.get(released) is not None:
        return text.whole(released)
    per_layer = text.section("per_layer_config")
    if per_layer is None:
        return None
    for index in per_layer.values:
        if index.isdecimal() and int(index) < len(sliding) and not sliding[int(index)]:
            layer = per_layer.section(index)
            if layer and inside in layer.values:
                return layer.whole(inside)
    return None


def _tower(tower: _Section, intermediate: int, *, clipped: bool) -> TowerConfig:
    """Read a tower's shape; `clipped` is what transformers takes where the config does not say."""
    return TowerConfig(
        hidden_size=tower.whole("hidden_size"),
        intermediate_size=intermediate,
        layers=tower.whole("num_hidden_layers"),
        heads=tower.whole("num_attention_heads"),
        clipped=tower.flag("use_clipped_linears", clipped),
    )
