"""What to tell somebody who has only the bundled model."""

from __future__ import annotations

from collections.abc import Callable

from edgekit.catalog.find import find_variant, split_name
from edgekit.catalog.variant import Variant
from edgekit.errors import DoesNotFitError
from edgekit.fit.candidate import Candidate
from edgekit.fit.needs import Needs
from edgekit.fit.next_commands import projector_to_pull
from edgekit.fit.picker import pick
from edgekit.hardware.machine import Machine
from edgekit.hardware.probe import probe


def advice() -> tuple[str, ...]:
    """Return a sentence that names the model for this machine, and the chat's command for it; nothing if none fits."""
    chosen = pick(probe(), Needs()).recommendation
    if chosen is None or not chosen.fits:
        return ()
    return (f"This machine suits {chosen.name} (`edgekit pick` says why). To download it and go on with it:", "/pull")


def choose(model: str | None, quant: str, projector: str, machine: Callable[[], Machine]) -> tuple[str, str]:
    """Return the name to look for on the Hub and the projector option.

    Where the name says no file of a variant, or there is none, both are what suits the machine.
    """
    name, said = split_name(model or "")
    variant = find_variant(name)
    if model and (quant or said or not variant):
        return model, projector
    here = machine()
    best = recommended(here, variant)
    return best.name, projector or projector_to_pull(best, here)


def recommended(machine: Machine, variant: Variant | None = None) -> Candidate:
    """Return what suits a machine, of one variant if one is named; DoesNotFitError where nothing does."""
    ranked = pick(machine, Needs()).candidates
    of_it = [one for one in ranked if one.fits and variant in (None, one.load.variant)]
    if not of_it:
        why = "`edgekit pick --all` says what lacks"
        if variant is None:
            raise DoesNotFitError(f"no Gemma 4 fits here: {why}")
        raise DoesNotFitError(f"{variant.model} fits here in no quantization: {why}; --quant gets one all the same")
    return of_it[0]
