"""Vocabularies that training has made larger: tables of tokens with more rows than the base's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from edgekit.convert.adapter.appended import Appended
from edgekit.convert.adapter.changes import Change, Tokens, Whole
from edgekit.convert.adapter.directory import Adapter
from edgekit.convert.adapter.keys import Key, Role
from edgekit.convert.checkpoint import Checkpoint, Weight
from edgekit.convert.names import plain_name
from edgekit.errors import AdapterError

_PER_LAYER = "embed_tokens_per_layer"
_TABLES = ("embed_tokens", "lm_head", _PER_LAYER)
_TOKENIZER = ("tokenizer.json", "tokenizer_config.json")


def grow(checkpoint: Checkpoint, adapters: Sequence[Adapter]) -> None:
    """Give a checkpoint the rows, the tokenizer and the config of the larger vocabulary that an adapter brings.

    Raises AdapterError where several bring one, or one brings no tokenizer for it.
    """
    weights = checkpoint.weights
    tables = {plain_name(name).removesuffix(".weight"): name for name in weights}
    found: dict[str, tuple[Adapter, int]] = {}
    for adapter in adapters:
        for plain, height in _heights(adapter):
            name = tables.get(plain)
            if name and height > weights[name].own_height:
                if any(other is not adapter for other, _ in found.values()):
                    raise AdapterError(
                        f"{adapter.directory} is the second to add tokens: merge one, then train on that"
                    )
                # Of single tokens the last one that was trained says how many there are at least.
                found[name] = adapter, max(height, found[name][1] if name in found else 0)
    if found:
        _complete(found, weights)
    for name, (adapter, height) in found.items():
        _check(adapter, height, weights[name])
        weights[name] = replace(weights[name], grown=height)
    if found:
        adapter = next(adapter for adapter, _ in found.values())
        checkpoint.tokenizer_directory = adapter.directory
        heights = {plain_name(name).removesuffix(".weight"): height for name, (_, height) in found.items()}
        checkpoint.config = _config(checkpoint.config, heights)


def _complete(found: dict[str, tuple[Adapter, int]], weights: Mapping[str, Weight]) -> None:
    """Add the tables that an adapter does not speak of: each token has a row in all of them.

    transformers resizes them together, embeddings per layer too.
    """
    adapter, height = max(found.values(), key=lambda one: one[1])
    for name, weight in weights.items():
        if plain_name(name).removesuffix(".weight") in _TABLES and name not in found and weight.own_height < height:
            found[name] = adapter, height


def check_filled(name: str, weight: Weight, changes: Sequence[Change]) -> None:
    """Raise AdapterError where an adapter tells of more rows than it brings: nobody knows what they were."""
    if weight.grown is None:
        return
    filled: set[int] = set()
    for change in changes:
        if isinstance(change, Whole):
            return
        if isinstance(change, (Tokens, Appended)):
            filled.update(change.indices)
    if filled.issuperset(range(weight.own_height, weight.grown)):
        return
    raise AdapterError(
        f"the adapter adds tokens, and does not hold their rows of {name}: save it with all tables of tokens in "
        f"modules_to_save ({', '.join(_TABLES)}), or with trainable_token_indices for all new tokens"
    )


def _heights(adapter: Adapter) -> Iterator[tuple[str, int]]:
    """Yield the tables that an adapter changes, with the rows that it has for each."""
    for (plain, _), halves in adapter.places.items():
        table = plain.removesuffix(".weight")
        if table in _TABLES:
            yield table, max((_height(adapter, role, key) for role, key in halves.items()), default=0)


def _height(adapter: Adapter, role: Role, key: Key) -> int:
    if role == Role.tokens:
        return max(adapter.settings.token_indices(key.path), default=-1) + 1
    shape = adapter.shape(key.text)
    if role in (Role.whole, Role.base, Role.high) and len(shape) == 2:
        return shape[0]
    return shape[1] if role == Role.embedding_low and len(shape) == 2 else 0


def _check(adapter: Adapter, height: int, weight: Weight) -> None:
    what = f"{adapter.directory} has {height} tokens where the base has {weight.own_height}"
    missing = next((name for name in _TOKENIZER if not (adapter.directory / name).is_file()), None)
    if missing:
        raise AdapterError(f"{what}, and no {missing}: copy the tokenizer that it was trained with into its folder")
    if adapter.weight != 1:
        raise AdapterError(f"{what}: what is new cannot be merged by halves; give it no weight")


def _config(values: dict[str, Any], heights: Mapping[str, int]) -> dict[str, Any]:
    """Return config.json with the new sizes; a model with towers has them in text_config."""
    changed = {"vocab_size": max(height for name, height in heights.items() if name != _PER_LAYER or len(heights) == 1)}
    if _PER_LAYER in heights:
        changed["vocab_size_per_layer_input"] = heights[_PER_LAYER]
    inside = values.get("text_config")
    if isinstance(inside, dict):
        values = values | {"text_config": inside | changed}
    # Some releases of transformers repeat one of them outside.
    return values | {key: value for key, value in changed.items() if key in values or not isinstance(inside, dict)}
