"""Which model to run on a machine."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgekit.fit.budget import budget
from edgekit.fit.candidate import Candidate
from edgekit.fit.guide import Advice, advice
from edgekit.fit.loads import excluded, loads
from edgekit.fit.needs import Needs
from edgekit.fit.placement import best_candidate
from edgekit.hardware.machine import Machine


@dataclass(frozen=True)
class Pick:
    """Every candidate, best first, and the one to take; none when nothing fits."""

    machine: Machine
    needs: Needs
    candidates: tuple[Candidate, ...]
    recommendation: Candidate | None
    guide: Advice
    notes: tuple[str, ...]
    # Whether the published table chose, not the estimate.
    by_guide: bool = False


def pick(machine: Machine, needs: Needs | None = None, *, by_guide: bool = False) -> Pick:
    """Choose for a machine; `by_guide` follows the published table instead of the estimate."""
    needs = needs or Needs()
    limits = budget(machine)
    found = [best_candidate(load, machine, limits, needs) for load in loads(needs)]
    ranked = tuple(sorted(found, key=lambda one: one.rank(needs), reverse=True))
    guide = advice(machine)
    choice = _by_guide(ranked, guide) if by_guide else next((one for one in ranked if one.fits), None)
    warnings = _warnings(choice, needs, limits.host, by_guide=by_guide)
    notes = (*machine.notes, *excluded(needs), *warnings)
    return Pick(machine, needs, ranked, choice, guide, notes, by_guide)


def nearest(found: Pick) -> Candidate | None:
    """Return the candidate that lacks least, with any smaller context that fits; for when nothing does."""
    closest = min(found.candidates, key=lambda one: one.shortfall, default=None)
    if closest is None or found.needs.context is None:
        return closest
    shorter = best_candidate(closest.load, found.machine, budget(found.machine), replace(found.needs, context=None))
    return shorter if shorter.fits and shorter.settings.context < found.needs.context else closest


def _by_guide(ranked: tuple[Candidate, ...], guide: Advice) -> Candidate | None:
    meant = [one for one in ranked if guide.allows(one.load.variant.name, one.load.file.quantization)]
    return meant[0] if meant else None


def _warnings(choice: Candidate | None, needs: Needs, host: int, *, by_guide: bool) -> list[str]:
    if choice is None:
        return []
    notes = []
    if not (choice.is_usable(needs) or by_guide):
        notes.append(f"Nothing that fits decodes at {needs.pace.usable:.0f} tokens/s; this is the fastest.")
    if choice.memory.host > host:
        notes.append(
            "Part of the per-layer embeddings stays on the disk, read row by row: keep the file on a fast one."
        )
    known = choice.load.variant.notes
    notes += [known[modality] for modality in needs.modalities if modality in known]
    return notes
