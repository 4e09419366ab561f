"""What `edgekit pick --json` prints; docs/pick-json.md promises the keys."""

from __future__ import annotations

from typing import Any

from edgekit.cli import memory_view
from edgekit.fit.candidate import Candidate
from edgekit.fit.picker import Pick
from edgekit.fit.reasons import reason
from edgekit.fit.speed import Speed


def as_json(found: Pick) -> dict[str, Any]:
    """Return a pick as plain data; sizes in bytes, speeds in tokens per second."""
    chosen = found.recommendation
    return {
        "machine": found.machine,
        "recommendation": _candidate(chosen, found) if chosen else None,
        "candidates": [_candidate(one, found) for one in found.candidates],
        "guide": found.guide,
        "notes": found.notes,
    }


def _candidate(candidate: Candidate, found: Pick) -> dict[str, Any]:
    load = candidate.load
    return {
        "name": candidate.name,
        "variant": load.variant.name,
        "quantization": load.file.quantization,
        "repo": load.file.repo,
        "file": load.file.file,
        "projector": load.projector and {"repo": load.projector.repo, "file": load.projector.file},
        "context": candidate.settings.context,
        "ubatch": candidate.settings.ubatch,
        "cache_type": candidate.settings.cache_type_k,
        "placement": candidate.placement,
        "gpu_layers": candidate.settings.gpu_layers,
        "gpus": _gpus(candidate),
        "repack": candidate.settings.repack,
        "fits": candidate.fits,
        "shortfall": max(0, candidate.shortfall),
        "memory": memory_view.as_json(candidate.memory, candidate.limits),
        "decode_tokens_per_second": speed(candidate.decode),
        "prefill_tokens_per_second": speed(candidate.prefill),
        "quality": round(candidate.quality, 1),
        "reason": reason(candidate, found),
    }


def _gpus(candidate: Candidate) -> list[dict[str, Any]]:
    limits = candidate.limits
    return [
        {"name": one.name, "bytes": part, "budget": budget}
        for one, part, budget in zip(limits.accelerators, candidate.parts, limits.gpus, strict=True)
    ]


def speed(found: Speed | None) -> dict[str, Any] | None:
    """Return a range of tokens per second with its basis."""
    return {"low": round(found.low, 2), "high": round(found.high, 2), "basis": found.basis} if found else None
