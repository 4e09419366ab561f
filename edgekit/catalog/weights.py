"""Bytes of a model file by what they are for, computed from the shape and the quantization."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from edgekit.catalog.load import quantization_costs
from edgekit.catalog.quantization import row_bytes
from edgekit.catalog.tensors import Tensor, tensors, with_types
from edgekit.catalog.variant import ModelFile, Shape

# Vocabulary, merges and template of a Gemma 4 GGUF: the same in every file.
METADATA = 15_800_000


@dataclass(frozen=True)
class Weights:
    """Where a file's bytes go."""

    file: int
    # The tied output matrix: looked up for every token and multiplied for every output.
    token_embeddings: int
    # Only the rows of the tokens at hand are ever read.
    per_layer_embeddings: int
    # One entry per layer.
    layers: tuple[int, ...]
    # Of each layer, what one decoded token reads: active experts, no unused projections.
    layers_read: tuple[int, ...]
    # Norms and projections outside the layers.
    other: int
    # Bytes inside the layers by tensor type, for llama.cpp's repacked copy.
    by_type: dict[str, int]
    # Bytes inside the layers that one decoded token reads, by tensor type.
    read_by_type: dict[str, int]
    # The type of the tied output matrix.
    output_type: str
    # Weights that one token is multiplied by inside the layers.
    parameters_read: int

    @property
    def read_per_token(self) -> int:
        """Return the bytes that decoding one token reads, cache not counted."""
        return self.token_embeddings + self.other + sum(self.layers_read)


@lru_cache(maxsize=64)
def weights(shape: Shape, file: ModelFile) -> Weights:
    """Return the bytes of a file of a model of this shape; known file sizes are kept, the layers scaled to them."""
    computed = _computed(shape, file)
    if file.bytes is None:
        return computed
    if file.tensor_types:
        return replace(computed, file=file.bytes)
    tables = computed.token_embeddings + computed.per_layer_embeddings + computed.other
    scale = (file.bytes - METADATA - tables) / sum(computed.layers)
    return Weights(
        file.bytes,
        computed.token_embeddings,
        computed.per_layer_embeddings,
        tuple(round(layer * scale) for layer in computed.layers),
        tuple(round(layer * scale) for layer in computed.layers_read),
        computed.other,
        {kind: round(count * scale) for kind, count in computed.by_type.items()},
        {kind: round(count * scale) for kind, count in computed.read_by_type.items()},
        computed.output_type,
        computed.parameters_read,
    )


def _types(shape: Shape, file: ModelFile) -> Iterator[tuple[Tensor, str]]:
    """Yield the tensors of a file with their types: as they are in a file at hand, else as they would be made."""
    if file.tensor_types:
        found = dict(file.tensor_types)
        yield from ((tensor, found[tensor.name]) for tensor in tensors(shape) if tensor.name in found)
        return
    tables = {"token_embd": file.token_embedding, "per_layer_token_embd": file.per_layer_embedding}
    chosen = {**tables, **dict(file.other_types)}
    for tensor, kind in with_types(shape, quantization_costs().standard_name(file.quantization)):
        if file.unused_projections or not _is_unused(shape, tensor):
            yield tensor, chosen.get(tensor.role) or kind


def _computed(shape: Shape, file: ModelFile) -> Weights:
    tables = {"token_embd": 0, "per_layer_token_embd": 0, "other": 0}
    layers, read = [0] * shape.num_hidden_layers, [0.0] * shape.num_hidden_layers
    by_type: Counter[str] = Counter()
    read_by_type: Counter[str] = Counter()
    parameters, output_type = 0.0, ""
    for tensor, kind in _types(shape, file):
        count = tensor.count
        size = row_bytes(kind, count)
        output_type = kind if tensor.role == "token_embd" else output_type
        if tensor.layer is None:
            tables[tensor.role if tensor.role in tables else "other"] += size
            continue
        share = _share_read(shape, tensor)
        layers[tensor.layer] += size
        read[tensor.layer] += size * share
        by_type[kind] += size
        read_by_type[kind] += round(size * share)
        parameters += count * share
    return Weights(
        METADATA + sum(tables.values()) + sum(layers),
        tables["token_embd"],
        tables["per_layer_token_embd"],
        tuple(layers),
        tuple(round(size) for size in read),
        tables["other"],
        dict(by_type),
        dict(read_by_type),
        output_type,
        round(parameters),
    )


def _share_read(shape: Shape, tensor: Tensor) -> float:
    assert tensor.layer is not None
    if tensor.role.endswith("_exps"):
        return shape.top_k_experts / shape.num_experts
    return 0.0 if _is_unused(shape, tensor) else 1.0


def _is_unused(shape: Shape, tensor: Tensor) -> bool:
    """Return whether a tensor belongs to the keys and values that a KV-shared layer takes from another."""
    own = tensor.role in ("attn_k", "attn_v", "attn_k_norm")
    return own and tensor.layer is not None and not shape.owns_cache(tensor.layer)
