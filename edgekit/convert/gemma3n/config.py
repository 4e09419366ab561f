"""What config.json says about a Gemma 3n's language model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgekit.convert.gemma3.config import rope
from edgekit.convert.section import Section
from edgekit.errors import UnsupportedError

ARCHITECTURES = ("Gemma3nForCausalLM", "Gemma3nForConditionalGeneration")
# What transformers takes where a config does not say.
_TEXT = {
    "vocab_size": 262_400,
    "hidden_size": 2048,
    "intermediate_size": 16_384,
    "num_hidden_layers": 35,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "head_dim": 256,
    "max_position_embeddings": 32_768,
    "rms_norm_eps": 1e-6,
    "sliding_window": 512,
    "final_logit_softcapping": 30.0,
    "hidden_size_per_layer_input": 256,
    "altup_active_idx": 0,
    "altup_num_inputs": 4,
    "num_kv_shared_layers": 15,
    "laurel_rank": 64,
    "rope_theta": 1e6,
    "rope_local_base_freq": 1e4,
}
# What llama.cpp takes for granted: src/llama-hparams.h and src/models/gemma3n.cpp.
_ALTUP_INPUTS, _PER_LAYER_INPUT, _LAUREL_RANK, _OWN_KV = 4, 256, 64, 20
_PERIOD = 5
_SPARSE_LAYERS, _SPARSITY = 10, 0.95


@dataclass(frozen=True)
class TextConfig:
    """The language model's shape."""

    vocabulary: int
    hidden_size: int
    # Of each layer: its feed-forward width, the share of it that stays silent, whether it sees only the window.
    intermediate_sizes: tuple[int, ...]
    sparsity: tuple[float, ...]
    sliding: tuple[bool, ...]
    heads: int
    kv_heads: int
    head_dim: int
    kv_shared: int
    per_layer_input: int
    altup_inputs: int
    altup_active: int
    laurel_rank: int
    window: int
    context: int
    rope_theta: float
    rope_theta_sliding: float
    rms_norm_eps: float
    logit_softcap: float | None

    @property
    def layers(self) -> int:
        """How many layers there are."""
        return len(self.sliding)

    def shares_kv(self, layer: int) -> bool:
        """Say whether a layer takes its keys and values from an earlier one."""
        return layer >= self.layers - self.kv_shared


def read_config(values: Mapping[str, Any]) -> TextConfig:
    """Read a parsed config.json.

    Raises UnsupportedError for a model that llama.cpp's Gemma 3n cannot hold, FileError for a damaged config.
    """
    root = Section("config.json", values, _TEXT)
    text = root.section("text_config", _TEXT) or root
    _check_granted(text)
    theta, near, factor = rope(text)
    if factor is not None:
        raise UnsupportedError("the checkpoint's positions are stretched, which llama.cpp's Gemma 3n cannot")
    return TextConfig(
        vocabulary=text.whole("vocab_size"),
        hidden_size=text.whole("hidden_size"),
        intermediate_sizes=_widths(text),
        sparsity=_sparsity(text),
        sliding=_sliding(text),
        heads=text.whole("num_attention_heads"),
        kv_heads=text.whole("num_key_value_heads"),
        head_dim=text.whole("head_dim"),
        kv_shared=text.whole("num_kv_shared_layers"),
        per_layer_input=text.whole("hidden_size_per_layer_input"),
        altup_inputs=_ALTUP_INPUTS,
        altup_active=text.whole("altup_active_idx"),
        laurel_rank=text.whole("laurel_rank"),
        window=text.whole("sliding_window"),
        context=text.whole("max_position_embeddings"),
        rope_theta=theta,
        rope_theta_sliding=near,
        rms_norm_eps=text.number("rms_norm_eps"),
        logit_softcap=text.number("final_logit_softcapping") if text.flag("final_logit_softcapping") else None,
    )


def _check_granted(text: Section) -> None:
    granted = {
        "altup_num_inputs": _ALTUP_INPUTS,
        "hidden_size_per_layer_input": _PER_LAYER_INPUT,
        "laurel_rank": _LAUREL_RANK,
        "num_kv_shared_layers": text.layers() - _OWN_KV,
    }
    other = next((key for key, number in granted.items() if text.whole(key) != number), None)
    if other is not None:
        raise UnsupportedError(f"{text.name}: llama.cpp's Gemma 3n has {other} {granted[other]}, not {text.get(other)}")
    # It writes the shares into a file, and never reads them.
    usual = [_SPARSITY if layer < _SPARSE_LAYERS else 0.0 for layer in range(text.layers())]
    if _sparsity(text) != tuple(usual):
        raise UnsupportedError(
            f"{text.name}: llama.cpp's Gemma 3n has {_SPARSITY} in the first {_SPARSE_LAYERS} layers of "
            "activation_sparsity_pattern and 0 in the others"
        )


def _widths(text: Section) -> tuple[int, ...]:
    given = text.get("intermediate_size")
    return (text.whole("intermediate_size"),) * text.layers() if not isinstance(given, list) else _list(text, given)


def _list(text: Section, given: list[Any]) -> tuple[int, ...]:
    if len(given) != text.layers() or not all(type(width) is int and 0 <= width <= 1 << 30 for width in given):
        raise text.wrong("intermediate_size", f"no list of {text.layers()} widths")
    return tuple(given)


def _sparsity(text: Section) -> tuple[float, ...]:
    layers = text.layers()
    sparse = _SPARSE_LAYERS if layers > _SPARSE_LAYERS else 0
    given = text.get("activation_sparsity_pattern") or [_SPARSITY] * sparse + [0.0] * (layers - sparse)
    numbers = given if isinstance(given, list) else []
    if len(numbers) != layers or not all(isinstance(share, (int, float)) and 0 <= share < 1 for share in numbers):
        raise text.wrong("activation_sparsity_pattern", f"no list of {layers} shares")
    return tuple(float(share) for share in numbers)


def _sliding(text: Section) -> tuple[bool, ...]:
    kinds = {"full_attention": False, "sliding_attention": True}
    usual = ["sliding_attention" if (layer + 1) % _PERIOD else "full_attention" for layer in range(text.layers())]
    given = text.get("layer_types") or usual
    if not isinstance(given, list) or len(given) != text.layers() or any(kind not in kinds for kind in given):
        raise text.wrong("layer_types", f"no list of {text.layers()} kinds of attention")
    return tuple(kinds[kind] for kind in given)
