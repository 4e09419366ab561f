"""The files worth considering for what a person wants."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit.catalog.load import quantization_costs, variants
from edgekit.catalog.variant import ModelFile, Variant
from edgekit.fit.estimate import Load
from edgekit.fit.needs import Needs

# Text models below this loop on longer clips (ggml-org/llama.cpp pull request 21599).
_AUDIO_MINIMUM = "Q5_K_M"
# Smaller projectors hear worse (ggml-org/llama.cpp pull request 21421).
_AUDIO_PROJECTORS = ("F16", "BF16")


def loads(needs: Needs) -> Iterator[Load]:
    """Yield every file of every variant that can do what is asked, with the projector it needs."""
    for variant in _able(needs):
        if needs.context and needs.context > variant.context:
            continue
        for file in variant.files:
            if "audio" not in needs.modalities or _hears(file):
                yield Load(variant, file, _projector(variant, needs), needs.modalities)


def longest(needs: Needs) -> tuple[int, list[str]]:
    """Return the largest context among the variants that take all of that in, and their names."""
    able = list(_able(needs))
    largest = max(variant.context for variant in able)
    return largest, [variant.name for variant in able if variant.context == largest]


def excluded(needs: Needs) -> list[str]:
    """Return a sentence for every variant or file that the needs rule out."""
    notes = []
    for variant in variants():
        missing = [one for one in needs.modalities if one not in variant.modalities]
        if missing:
            notes.append(f"{variant.name} has no {' or '.join(missing)} input.")
        elif needs.context and needs.context > variant.context:
            notes.append(f"{variant.name} ends at a context of {variant.context:,} tokens.")
    if "audio" in needs.modalities:
        notes.append(f"Sound asks for at least {_AUDIO_MINIMUM} and an F16 or BF16 projector.")
    return notes


def _able(needs: Needs) -> Iterator[Variant]:
    return (variant for variant in variants() if set(needs.modalities) <= set(variant.modalities))


def _hears(file: ModelFile) -> bool:
    costs = quantization_costs()
    increase = costs.increase[costs.standard_name(file.quantization)]
    return increase <= costs.increase[_AUDIO_MINIMUM]


def _projector(variant: Variant, needs: Needs) -> ModelFile | None:
    if set(needs.modalities) <= {"text"}:
        return None
    allowed = [
        one for one in variant.projectors if "audio" not in needs.modalities or one.quantization in _AUDIO_PROJECTORS
    ]
    return min(allowed, key=lambda one: one.bytes or 0)
