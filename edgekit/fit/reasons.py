"""Why a candidate is the one, or is not: one sentence each."""

from __future__ import annotations

from edgekit.fit.candidate import Candidate
from edgekit.fit.picker import Pick

_GIB = 1 << 30


def reason(candidate: Candidate, found: Pick) -> str:
    """Return one sentence about a candidate among the others."""
    if candidate is found.recommendation and found.by_guide:
        return f"{found.guide.sentence} {_room(candidate, found)}"
    if not candidate.fits:
        return shortage(candidate, found)
    if candidate is found.recommendation:
        return _praise(candidate, found)
    speed = f"about {candidate.decode.middle:.0f} tokens/s"
    if not candidate.is_usable(found.needs):
        return f"Fits, but too slow: {speed}."
    if candidate.settings.context < found.needs.enough_context:
        return f"Fits with a context of {candidate.settings.context} only."
    chosen = found.recommendation
    if chosen and candidate.quality > chosen.quality:
        return f"Fits and would answer a little better, but slower: {speed}."
    return f"Fits, {speed}, but weaker than the recommendation."


def shortage(candidate: Candidate, found: Pick) -> str:
    """Return by how much a candidate does not fit and what machine would hold it."""
    larger = -(-(found.machine.memory.total + candidate.shortfall) // _GIB)
    return f"Lacks {candidate.shortfall / _GIB:.1f} GiB; a machine with {larger} GiB of memory would hold it."


def _room(candidate: Candidate, found: Pick) -> str:
    if not candidate.fits:
        return f"By edgekit's estimate it does not fit. {shortage(candidate, found)}"
    return f"By edgekit's estimate it fits, at about {candidate.decode.middle:.0f} tokens/s."


def _praise(candidate: Candidate, found: Pick) -> str:
    speed = f"about {candidate.decode.middle:.0f} tokens/s"
    where = {"cpu": "in main memory", "gpu": "on the GPU", "partial": "across GPU and main memory"}
    fits = f"fits {where[candidate.placement]}"
    if not candidate.is_usable(found.needs):
        return f"The fastest that {fits}: {speed}, slower than one reads."
    ends = {
        "quality": "The best answers that",
        "balanced": "The best balance of answers and speed that",
        "speed": "The best answers at a high speed that",
    }
    return f"{ends[found.needs.prefer]} {fits}: {speed}, context {candidate.settings.context:,}."
