"""The shape of a Gemma 4 text model and of its projector's towers, as their files' own headers say."""

from __future__ import annotations

from edgekit.catalog.variant import Drafter, Shape, Tower
from edgekit.gguf_header import Header, Scalar

_ARCHITECTURE = "gemma4"
# llama.cpp takes no more (LLAMA_MAX_LAYERS).
_MOST_LAYERS = 512
# Patches that make one soft token, and soft tokens of 30 seconds, where llama.cpp cuts a sound.
_POOLED = 9
_LONGEST_CLIP = 750


def text_shape(header: Header) -> Shape | None:
    """Return the shape of a Gemma 4 text model; None of anything else, and where layers follow no simple pattern."""
    if header.text("general.architecture") != _ARCHITECTURE:
        return None
    try:
        shape = _shape(header)
    except (KeyError, IndexError, TypeError, ValueError, ZeroDivisionError):
        return None
    return shape if _matches(shape, header) else None


def towers(projector: Header) -> dict[str, Tower]:
    """Return the encoders in a projector's file by what they read: vision, audio."""
    found = {}
    for kind in ("vision", "audio"):
        names = ("embedding_length", "feed_forward_length", "attention.head_count")
        numbers = [projector.keys.get(f"clip.{kind}.{name}") for name in names]
        hidden, inner, heads = (one if isinstance(one, int) else 0 for one in numbers)
        if hidden and inner:
            clipped = any(name.startswith(f"{kind[0]}.") and name.endswith(".input_min") for name in projector.tensors)
            sizes = (_POOLED, 0) if kind == "vision" else (1, _LONGEST_CLIP)
            found[kind] = Tower(hidden, inner, *sizes, heads, clipped)
    return found


def drafter_shape(header: Header) -> Drafter:
    """Return the shape of a checked MTP drafter."""
    kind = header.text("general.architecture")
    names = ("embedding_length", "feed_forward_length", "attention.head_count", "block_count")
    numbers = [header.keys.get(f"{kind}.{name}") for name in names]
    return Drafter(*(one if isinstance(one, int) else 0 for one in numbers))


def _shape(header: Header) -> Shape:
    pattern = _by_layer(header, "attention.sliding_window_pattern")
    interval = pattern.index(False) + 1
    shared = _number(header, "attention.shared_kv_layers", 0)
    key_heads, widths = _by_layer(header, "attention.head_count_kv"), _by_layer(header, "feed_forward_length")
    layers = len(pattern)
    return Shape(
        hidden_size=_number(header, "embedding_length"),
        num_hidden_layers=layers,
        num_attention_heads=int(_by_layer(header, "attention.head_count")[0]),
        num_key_value_heads=int(key_heads[0]),
        num_global_key_value_heads=int(key_heads[interval - 1]),
        head_dim=_number(header, "attention.key_length_swa"),
        global_head_dim=_number(header, "attention.key_length"),
        intermediate_size=int(widths[0]),
        sliding_window=_number(header, "attention.sliding_window"),
        full_attention_interval=interval,
        vocab_size=header.tensors["token_embd.weight"].shape[0],
        num_kv_shared_layers=shared,
        hidden_size_per_layer_input=_number(header, "embedding_length_per_layer_input", 0),
        use_double_wide_mlp=bool(shared) and int(widths[-1]) == 2 * int(widths[0]),
        attention_k_eq_v=f"blk.{interval - 1}.attn_v.weight" not in header.tensors,
        num_experts=_number(header, "expert_count", 0),
        top_k_experts=_number(header, "expert_used_count", 0),
        moe_intermediate_size=_number(header, "expert_feed_forward_length", 0),
    )


def _matches(shape: Shape, header: Header) -> bool:
    """Return whether the shape gives back what the header says of every layer."""
    layers = range(shape.num_hidden_layers)
    return (
        _by_layer(header, "attention.sliding_window_pattern") == [shape.is_sliding(layer) for layer in layers]
        and _by_layer(header, "feed_forward_length") == [shape.feed_forward_width(layer) for layer in layers]
        and _by_layer(header, "attention.head_count_kv")
        == [shape.cache_width(layer) // shape.head_width(layer) for layer in layers]
    )


def _number(header: Header, key: str, default: int | None = None) -> int:
    value = header.keys.get(f"{_ARCHITECTURE}.{key}", default)
    if not isinstance(value, int):
        raise KeyError(key)
    return value


def _by_layer(header: Header, key: str) -> list[Scalar]:
    """Return a value for each layer: the key holds a list of them, or one for all."""
    layers = _number(header, "block_count")
    if not 0 < layers <= _MOST_LAYERS:
        raise ValueError(layers)
    return header.array(f"{_ARCHITECTURE}.{key}") or [header.keys[f"{_ARCHITECTURE}.{key}"]] * layers  # type: ignore[list-item]
