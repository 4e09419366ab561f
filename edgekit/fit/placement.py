"""The best way to run a file on a machine: context, cache type, repack and layers on accelerators."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from edgekit.catalog.load import quantization_costs
from edgekit.catalog.variant import Variant
from edgekit.fit.budget import Budget, budgets
from edgekit.fit.candidate import Candidate
from edgekit.fit.estimate import Estimate, Load, estimate
from edgekit.fit.needs import Needs
from edgekit.fit.repack import repacks
from edgekit.fit.settings import Settings
from edgekit.fit.speed import decode_speed, prefill_speed
from edgekit.fit.split import split
from edgekit.hardware.machine import Machine

# Ubatch that holds the largest picture (1120 soft tokens), a multiple of 32.
PICTURE_UBATCH = 1120
_UBATCH = 512
# What tells the variants apart in text; a mean of published percentages.
_TEXT_BENCHMARKS = ("mmlu_pro", "gpqa_diamond", "aime_2026", "livecodebench_v6")


def best_candidate(load: Load, machine: Machine, needs: Needs) -> Candidate:
    """Return a load with the settings that suit the needs best; if none fits, those that lack least main memory."""
    found = [one for limits in budgets(machine) for one in _ways(load, machine, limits, needs)]
    fitting = [one for one in found if one.fits]
    if fitting:
        return max(fitting, key=lambda one: one.rank(needs))
    # A larger card is not the next thing to try: with it, layers would only move out of main memory.
    return min((one for one in found if one.fits_accelerators), key=lambda one: one.shortfall)


def _ways(load: Load, machine: Machine, limits: Budget, needs: Needs) -> Iterator[Candidate]:
    base = _base(load.variant, needs)
    if not limits.accelerators:
        for repack in (True, False) if repacks(machine.processor) else (False,):
            yield from _cached(load, replace(base, repack=repack), machine, limits, needs)
        return
    if len(limits.accelerators) > 1 and load.variant.shape.hidden_size_per_layer_input:
        # llama.cpp cannot split the per-layer embeddings of E2B and E4B (ggml-org/llama.cpp issue 21730).
        return
    everything = load.variant.shape.num_hidden_layers + 1
    whole = replace(base, gpu_layers=everything, gpus=len(limits.accelerators))
    found = list(_cached(load, whole, machine, limits, needs))
    yield from found
    # Unified memory gains no room by giving some of the layers to the processor.
    if not (limits.unified or any(_suffices(one, needs) for one in found)):
        for cache_type in ("F16", "Q8_0"):
            yield from _partial(load, _with_cache(whole, cache_type), machine, limits, needs)


def _cached(load: Load, settings: Settings, machine: Machine, limits: Budget, needs: Needs) -> Iterator[Candidate]:
    """Yield the largest context that fits, and what a quantized cache makes of it where F16 does not suffice."""
    best = _largest(load, settings, machine, limits, needs)
    yield best
    if not _suffices(best, needs):
        yield _largest(load, _with_cache(settings, "Q8_0"), machine, limits, needs)


def _largest(load: Load, settings: Settings, machine: Machine, limits: Budget, needs: Needs) -> Candidate:
    """Return the largest context that fits, else the smallest one."""
    contexts = needs.contexts(load.variant.context, on_card=bool(settings.gpu_layers) and not limits.unified)
    sizes = (_memory(load, replace(settings, context=context), machine, limits) for context in contexts)
    chosen = next(sizes)
    while limits.shortfall(chosen.estimate, chosen.parts) > 0 and (smaller := next(sizes, None)):
        chosen = smaller
    return _candidate(load, chosen, machine, limits)


def _partial(load: Load, settings: Settings, machine: Machine, limits: Budget, needs: Needs) -> Iterator[Candidate]:
    for context in needs.contexts(load.variant.context, on_card=False):
        at_context = replace(settings, context=context)
        layers = _most_layers(load, at_context, machine, limits)
        if not layers:
            continue
        found = _candidate(
            load, _memory(load, replace(at_context, gpu_layers=layers), machine, limits), machine, limits
        )
        yield found
        if _suffices(found, needs) and context <= needs.enough_context:
            return


def _most_layers(load: Load, settings: Settings, machine: Machine, limits: Budget) -> int:
    """Return how many layers fit on the accelerators, by halving; 0 when none does."""
    low, high = 0, load.variant.shape.num_hidden_layers
    while low < high:
        middle = (low + high + 1) // 2
        parts = _memory(load, replace(settings, gpu_layers=middle), machine, limits).parts
        if all(part <= limit for part, limit in zip(parts, limits.gpus, strict=True)):
            low = middle
        else:
            high = middle - 1
    return low


def _suffices(candidate: Candidate, needs: Needs) -> bool:
    return candidate.fits and candidate.settings.context >= needs.enough_context


def _base(variant: Variant, needs: Needs) -> Settings:
    # Picture tokens that see each other must not be cut apart: the whole picture in one ubatch.
    ubatch = PICTURE_UBATCH if needs.pictures and not variant.causal_images else _UBATCH
    return Settings(batch=ubatch, ubatch=ubatch)


def _with_cache(settings: Settings, kind: str) -> Settings:
    return replace(settings, cache_type_k=kind, cache_type_v=kind)


class _Memory(NamedTuple):
    """What settings take, and what of it each accelerator holds."""

    settings: Settings
    estimate: Estimate
    parts: tuple[int, ...]


def _memory(load: Load, settings: Settings, machine: Machine, limits: Budget) -> _Memory:
    whole = estimate(load, settings, machine.processor)
    return _Memory(settings, whole, split(load, settings, whole, [one.memory_free for one in limits.accelerators]))


def _candidate(load: Load, memory: _Memory, machine: Machine, limits: Budget) -> Candidate:
    return Candidate(
        load,
        memory.settings,
        memory.estimate,
        limits,
        memory.parts,
        limits.shortfall(memory.estimate, memory.parts),
        decode_speed(load, memory.settings, machine, limits.accelerator),
        prefill_speed(load, memory.settings, machine),
        quality(load),
    )


def quality(load: Load) -> float:
    """Return the expected score in percent: the mean of the text benchmarks, less the quantization's loss."""
    scores = [load.variant.benchmarks[name] for name in _TEXT_BENCHMARKS]
    return sum(scores) / len(scores) * (1 - quantization_costs().loss(load.file))
