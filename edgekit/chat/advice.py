"""What to tell somebody who has only the bundled model."""

from __future__ import annotations

from edgekit.catalog.variant import Variant
from edgekit.errors import DoesNotFitError
from edgekit.fit.candidate import Candidate
from edgekit.fit.needs import Needs
from edgekit.fit.next_commands import next_commands
from edgekit.fit.picker import pick
from edgekit.hardware.machine import Machine
from edgekit.hardware.probe import probe


def advice() -> tuple[str, ...]:
    """Return a sentence that names the model for this machine, and the commands that get it; nothing if none fits."""
    machine = probe()
    chosen = pick(machine, Needs()).recommendation
    if chosen is None or not chosen.fits:
        return ()
    sentence = f"This machine suits {chosen.name} (`edgekit pick` says why). To get it and talk to it:"
    return (sentence, *next_commands(chosen, machine))


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
