"""Which variant of the catalog a file on disk is, and at which quantization."""

from __future__ import annotations

from gguf import LlamaFileType

from edgekit.catalog.load import variants
from edgekit.catalog.quantization import BASE_TYPES
from edgekit.catalog.variant import ModelFile, Variant
from edgekit.fit.estimate import Load
from edgekit.gguf_header import Header


def recognized(header: Header) -> Load | None:
    """Return a file as a load of its variant, its own size and tables counted; None where it is no known one."""
    variant = next((one for one in variants() if _is(one, header)), None)
    if variant is None:
        return None
    quantization = _quantization(variant, header)
    if quantization is None:
        return None
    return Load(
        variant,
        ModelFile(
            quantization,
            repo=variant.repo,
            file=header.path.name,
            bytes=header.bytes,
            token_embedding=_type(header, "token_embd.weight"),
            per_layer_embedding=_type(header, "per_layer_token_embd.weight"),
        ),
    )


def _is(variant: Variant, header: Header) -> bool:
    shape, keys = variant.shape, header.keys
    return header.text("general.architecture") == "gemma4" and (
        keys.get("gemma4.block_count"),
        keys.get("gemma4.embedding_length"),
    ) == (shape.num_hidden_layers, shape.hidden_size)


def _quantization(variant: Variant, header: Header) -> str | None:
    published = next((one for one in variant.files if one.bytes == header.bytes or one.file == header.path.name), None)
    if published:
        return published.quantization
    number = header.keys.get("general.file_type")
    try:
        name = LlamaFileType(number if isinstance(number, int) else -1).name
    except ValueError:
        return None
    name = name.removeprefix("MOSTLY_").removeprefix("ALL_")
    return name if name in BASE_TYPES else None


def _type(header: Header, name: str) -> str | None:
    return header.tensors[name].type.name if name in header.tensors else None
