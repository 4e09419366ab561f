"""Read profiles/models/*.toml and profiles/quantizations.toml."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from edgekit import paths
from edgekit.catalog.tensors import tensors
from edgekit.catalog.variant import Drafter, ModelFile, QuantizationCosts, Shape, Tower, Variant
from edgekit.errors import FileError
from edgekit.toml import read_toml


@lru_cache(maxsize=1)
def variants() -> tuple[Variant, ...]:
    """Return every variant in the catalog, the smallest first."""
    found = [read_variant(path) for path in sorted((paths.profiles_directory() / "models").glob("*.toml"))]
    return tuple(sorted(found, key=lambda variant: sum(tensor.count for tensor in tensors(variant.shape))))


def read_variant(path: Path) -> Variant:
    """Return the variant that a TOML file describes."""
    data = read_toml(path)
    try:
        return Variant(
            **{
                key: data[key]
                for key in ("name", "model", "repo", "context", "causal_images", "benchmarks", "sampling")
            },
            modalities=tuple(data["modalities"]),
            shape=Shape(**data["shape"]),
            files=tuple(_file(entry) for entry in data["files"]),
            projectors=tuple(_file(entry) for entry in data["projectors"]),
            vision=Tower(**data["vision"]) if "vision" in data else None,
            audio=Tower(**data["audio"]) if "audio" in data else None,
            drafter=Drafter(**data["drafter"]) if "drafter" in data else None,
            notes=data.get("notes", {}),
        )
    except (AttributeError, KeyError, TypeError) as problem:
        raise FileError(f"{path} is no complete model description: {problem}") from problem


def _file(entry: dict[str, Any]) -> ModelFile:
    return ModelFile(**{**entry, "other_types": tuple(entry.get("other_types", {}).items())})


@lru_cache(maxsize=1)
def quantization_costs() -> QuantizationCosts:
    """Return what each quantization costs in quality."""
    data = read_toml(paths.profiles_directory() / "quantizations.toml")
    perplexity = data["perplexity"]
    return QuantizationCosts(
        perplexity["unquantized"],
        perplexity["increase"],
        perplexity["quantization_aware"]["remaining"],
        data["same_as"],
    )
