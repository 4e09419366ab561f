"""Why a candidate is the one, or is not: a sentence or two each."""

from __future__ import annotations

from edgekit.fit.budget import host_budget
from edgekit.fit.candidate import Candidate
from edgekit.fit.picker import Pick, shorter
from edgekit.fit.repack import repacks
from edgekit.hardware.machine import Machine

_GIB = 1 << 30
# Sizes that machines are sold with.
_SOLD_GB = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512)
# What firmware and graphics keep: no machine reports less than its size by more than this.
_KEPT = 1.15
# Firmware and graphics keep a little of it: what an 8 GB Raspberry Pi and a 16 GB laptop report.
_REPORTED = 0.97


def reason(candidate: Candidate, found: Pick) -> str:
    """Return a sentence about a candidate among the others."""
    if candidate is found.recommendation and found.by_guide:
        return f"{found.guide.sentence} {_room(candidate, found)}"
    if not candidate.fits:
        return shortage(candidate, found)
    if candidate is found.recommendation:
        return _praise(candidate, found)
    speed = _speed(candidate)
    if not candidate.is_usable(found.needs):
        return f"Fits, but too slow: {speed}."
    if candidate.settings.context < found.needs.enough_context:
        return f"Fits with a context of {candidate.settings.context:,} only{_means(candidate)}."
    chosen = found.recommendation
    if chosen and candidate.quality > chosen.quality:
        return f"Fits and would answer a little better, but slower or in more memory: {speed}."
    return f"Fits, {speed}, but weaker than the recommendation."


def shortage(candidate: Candidate, found: Pick) -> str:
    """Return by how much a candidate does not fit, though all was tried, and what would hold it."""
    context = f"a context of {candidate.settings.context:,}"
    tried = ["the KV cache at Q8_0"] + (["no repacked copy"] if repacks(found.machine.processor) else [])
    how = (
        f"at {context}, even with {_listed(tried)}"
        if found.needs.context
        else f"even with {_listed([context, *tried])}"
    )
    smaller = shorter(candidate, found)
    remedies = [f"a context of {smaller.settings.context:,} would fit"] if smaller else []
    size = enough_memory(candidate, found.machine)
    remedies += [f"a machine with {size} GB would hold it"] if size else []
    return f"Lacks {candidate.shortfall / _GIB:.1f} GiB {how}; {_listed(remedies) or 'no usual machine holds it'}."


def _listed(parts: list[str]) -> str:
    return " and ".join(part for part in (", ".join(parts[:-1]), parts[-1] if parts else "") if part)


def enough_memory(candidate: Candidate, machine: Machine) -> int | None:
    """Return the smallest usual memory in GB that would hold a candidate, all else as on this machine."""
    used = machine.memory.total - machine.memory.available
    for size in _SOLD_GB:
        total = reported(size)
        is_larger = size * _GIB > _KEPT * machine.memory.total
        if is_larger and host_budget(total, total - used) >= candidate.limits.host + max(0, candidate.shortfall):
            return size
    return None


def reported(gigabytes: int) -> int:
    """Return the bytes that a machine sold with so much memory reports."""
    return int(gigabytes * _GIB * _REPORTED)


def _room(candidate: Candidate, found: Pick) -> str:
    if not candidate.fits:
        return f"By edgekit's estimate it does not fit. {shortage(candidate, found)}"
    return f"By edgekit's estimate it fits, at {_speed(candidate)}."


def _praise(candidate: Candidate, found: Pick) -> str:
    speed = _speed(candidate)
    fits = f"fits {_where(candidate)}"
    ends = {
        "quality": "The best answers that",
        "balanced": "The best balance of answers and speed that",
        "speed": "The best answers at a high speed that",
    }
    best = ends[found.needs.prefer] if candidate.is_usable(found.needs) else "The fastest that"
    return f"{best} {fits}: {speed}, context {candidate.settings.context:,}{_means(candidate)}."


def _speed(candidate: Candidate) -> str:
    middle = candidate.decode.middle
    return f"about {middle:.0f} tokens/s" if middle >= 10 else f"about {middle:.1f} tokens/s"


def _where(candidate: Candidate) -> str:
    gpus = "the GPU" if candidate.settings.gpus == 1 else f"{candidate.settings.gpus} GPUs"
    return {"cpu": "in main memory", "gpu": f"on {gpus}", "partial": f"across {gpus} and main memory"}[
        candidate.placement
    ]


def _means(candidate: Candidate) -> str:
    return " with the KV cache at Q8_0, which makes it fit" if candidate.quantized_cache else ""
