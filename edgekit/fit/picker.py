"""Which model to run on a machine."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgekit.errors import EdgekitError
from edgekit.fit.candidate import Candidate
from edgekit.fit.guide import Advice, advice
from edgekit.fit.loads import excluded, loads, longest
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
    """Choose for a machine; `by_guide` follows the published table instead of the estimate.

    Raises EdgekitError where no variant has the context that is asked for.
    """
    needs = needs or Needs()
    _check_context(needs)
    found = [best_candidate(load, machine, needs) for load in loads(needs)]
    ranked = tuple(sorted(found, key=lambda one: one.rank(needs), reverse=True))
    guide = advice(machine, needs)
    choice = _by_guide(ranked, guide) if by_guide else next((one for one in ranked if one.fits), None)
    notes = (*machine.notes, *excluded(needs), *_warnings(choice, needs, by_guide=by_guide))
    return Pick(machine, needs, ranked, choice, guide, notes, by_guide)


def nearest(found: Pick) -> Candidate | None:
    """Return the candidate that lacks least; for when nothing fits."""
    return min(found.candidates, key=lambda one: one.shortfall, default=None)


def shorter(candidate: Candidate, found: Pick) -> Candidate | None:
    """Return a candidate with the largest context that fits, if a context was asked for that does not."""
    if found.needs.context is None:
        return None
    tried = best_candidate(candidate.load, found.machine, replace(found.needs, context=None))
    return tried if tried.fits and tried.settings.context < found.needs.context else None


def _check_context(needs: Needs) -> None:
    largest, names = longest(needs)
    if needs.context and needs.context > largest:
        raise EdgekitError(
            f"no Gemma 4 has a context of {needs.context:,} tokens"
            + ("" if needs.modalities == ("text",) else f" for {' and '.join(needs.modalities)}")
            + f": the largest is {largest:,} ({', '.join(names)})"
        )


def _by_guide(ranked: tuple[Candidate, ...], guide: Advice) -> Candidate | None:
    return next((one for one in ranked if guide.allows(one.load.variant.name, one.load.file.quantization)), None)


def _warnings(choice: Candidate | None, needs: Needs, *, by_guide: bool) -> list[str]:
    if choice is None:
        return []
    notes = []
    if not (choice.is_usable(needs) or by_guide):
        notes.append(f"Nothing that fits decodes at {needs.pace.usable:.0f} tokens/s; this is the fastest.")
    if choice.memory.host > choice.limits.host:
        notes.append(
            "Part of the per-layer embeddings stays on the disk, read row by row: keep the file on a fast one."
        )
    known = choice.load.variant.notes
    notes += [known[modality] for modality in needs.modalities if modality in known]
    return notes
