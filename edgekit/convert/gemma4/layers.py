"""How each layer of a Gemma 4 attends: near or far, with which heads, and how positions are rotated into them."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.convert.section import Section
from edgekit.errors import UnsupportedError

_KINDS = ("full_attention", "sliding_attention")
# What transformers takes where a config does not say.
_FULL = {"rope_type": "proportional", "partial_rotary_factor": 0.25, "rope_theta": 1e6}
_SLIDING = {"rope_theta": 1e4}
_GLOBAL_HEAD = 512


@dataclass(frozen=True)
class Layers:
    """The attention of all layers."""

    # For each layer, whether it looks back only as far as the window.
    sliding: tuple[bool, ...]
    head_dim: int
    global_head_dim: int
    kv_heads: int
    # None where global layers have as many as the others.
    global_kv_heads: int | None
    # Whether global layers take their keys as values too.
    keys_as_values: bool
    # How many of the last layers have no keys and values of their own.
    kv_shared: int
    rope_theta: float
    rope_theta_sliding: float
    # The part of a global head that is rotated.
    rotary_factor: float

    def head(self, layer: int) -> int:
        """Return the width of a layer's heads."""
        return self.head_dim if self.sliding[layer] else self.global_head_dim

    def kv_width(self, layer: int) -> int:
        """Return the width of a layer's keys."""
        heads = self.kv_heads if self.sliding[layer] else self.global_kv_heads or self.kv_heads
        return heads * self.head(layer)


def read_layers(text: Section, *, all_shared: bool) -> Layers:
    """Read the attention of a language model; a drafter's layers share all keys and values."""
    sliding = _sliding(text)
    rope = text.section_or_defaults("rope_parameters", {})
    full = rope.section_or_defaults("full_attention", _FULL)
    if full.get("rope_type") != "proportional":
        kind = full.get("rope_type")
        raise UnsupportedError(f"the checkpoint's global layers rotate in a {kind!r} way: llama.cpp's Gemma 4 cannot")
    head, kv_heads = _of_global_layers(text, sliding)
    return Layers(
        sliding=sliding,
        head_dim=text.whole("head_dim"),
        global_head_dim=head,
        kv_heads=text.whole("num_key_value_heads"),
        global_kv_heads=kv_heads,
        keys_as_values=text.flag("attention_k_eq_v"),
        kv_shared=text.whole("num_kv_shared_layers") or (len(sliding) if all_shared else 0),
        rope_theta=full.number("rope_theta"),
        rope_theta_sliding=rope.section_or_defaults("sliding_attention", _SLIDING).number("rope_theta"),
        rotary_factor=full.number("partial_rotary_factor"),
    )


def _sliding(text: Section) -> tuple[bool, ...]:
    layers = text.layers()
    kinds = text.get("layer_types") or [
        # What transformers takes where the checkpoint does not say.
        _KINDS[0] if (layer + 1) % 6 == 0 else _KINDS[1]
        for layer in range(layers)
    ]
    if not isinstance(kinds, list) or not 0 < len(kinds) == layers or any(kind not in _KINDS for kind in kinds):
        raise text.wrong("layer_types", f"no list of {layers} kinds of attention")
    # transformers makes the last layer global whatever the checkpoint says.
    return (*(kind == "sliding_attention" for kind in kinds[:-1]), False)


def _of_global_layers(text: Section, sliding: tuple[bool, ...]) -> tuple[int, int | None]:
    """Return global layers' head width and key heads: keys of their own in the releases, per layer since 5.23."""
    per_layer = text.section("per_layer_config")
    if per_layer is None:
        # Where keys do not serve as values, transformers does not heed the number.
        heads = text.whole_or_none("num_global_key_value_heads") if text.flag("attention_k_eq_v") else None
        return text.whole_or_none("global_head_dim") or _GLOBAL_HEAD, heads
    found: dict[str, int] = {}
    for index in per_layer.values:
        if index.isdecimal() and len(index) < 6 and int(index) < len(sliding) and not sliding[int(index)]:
            layer = per_layer.section(index)
            for key in ("head_dim", "num_key_value_heads"):
                if layer and key in layer.values:
                    found.setdefault(key, layer.whole(key))
    return found.get("head_dim", text.whole("head_dim")), found.get("num_key_value_heads")
