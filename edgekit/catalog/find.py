"""From what a person calls a variant to its description."""

from __future__ import annotations

from edgekit.catalog.load import variants
from edgekit.catalog.variant import ModelFile, Variant
from edgekit.hub.address import parse_address
from edgekit.hub.names import quantization

# What a name without a quantization means first: Google's own files.
USUAL_QUANTIZATION = "Q4_0"


def split_name(name: str) -> tuple[str, str]:
    """Return a model's name and its quantization: `gemma-4-E2B-it:Q4_0`, `OWNER/NAME:Q4_0`, an address on the Hub.

    The address of a file says its quantization, too. A name that is none of these comes back whole.
    """
    if address := parse_address(name):
        repo, said, file = address
        return (repo, said or (quantization(file) if file.endswith(".gguf") else "")) if repo else (name, "")
    model, _, quant = name.partition(":")
    return model, quant


def find_variant(model: str) -> Variant | None:
    """Return the variant of a name such as gemma-4-E2B-it or E2B, in any case; None for any other name."""
    wanted = model.lower()
    return next((variant for variant in variants() if wanted in (variant.model.lower(), variant.name.lower())), None)


def files_of(variant: Variant, quant: str) -> list[ModelFile]:
    """Return the published files of a variant with a quantization; without one all, the usual one first."""
    wanted = quant.lower()
    if not wanted:
        return sorted(variant.files, key=lambda file: file.quantization != USUAL_QUANTIZATION)
    return [file for file in variant.files if file.quantization.lower() == wanted]


def repos_of(variant: Variant) -> list[str]:
    """Return the repositories that hold files of a variant."""
    return list(dict.fromkeys(file.repo for file in variant.files))
