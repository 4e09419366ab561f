"""The best way to run a file on a machine: context, cache type, repack and layers on accelerators."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from edgekit.catalog.load import quantization_costs
from edgekit.catalog.variant import Variant
from edgekit.fit.budget import Budget, budgets
from edgekit.fit.candidate import Candidate
from edgekit.fit.estimate import Load, estimate
from edgekit.fit.needs import Needs
from edgekit.fit.repack import repacks
from edgekit.fit.settings import Settings
from edgekit.fit.speed import decode_speed, prefill_speed
from edgekit.fit.split import split
from edgekit.hardware.machine import Machine

# Ubatch that holds the largest picture (1120 soft tokens), a multiple of 32.
_PICTURE_UBATCH = 1120
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
    if not any(_suffices(one, needs) for one in found):
        for cache_type in ("F16", "Q8_0"):
            yield from _partial(load, _with_cache(whole, cache_type), machine, limits, needs)


def _cached(load: Load, settings: Settings, machine: Machine, limits: Budget, needs: Needs) -> Iterator[Candidate]:
    """Yield the largest context that fits, and what a quantized cache makes of it where F16 does not suffice."""
    best = _largest(load, settings, machine, limits, needs)
    yield best
    if not _suffices(best, needs):
        yield _largest(load, _with_cache(settings, "Q8_0"), machine, limits, needs)


def _largest(load: Load, settings: Settings, machine: Machine, limits: Budget, needs: Needs) -> Candidate:
    contexts = needs.contexts(load.variant.context, on_card=bool(settings.gpu_layers) and not limits.unified)
    tried = (_candidate(load, replace(settings, context=context), machine, limits) for context in contexts)
    smallest = None
    for smallest in tried:
        if smallest.fits:
            break
    assert smallest is not None
    return smallest


def _partial(load: Load, settings: Settings, machine: Machine, limits: Budget, needs: Needs) -> Iterator[Candidate]:
    for context in needs.contexts(load.variant.context, on_card=False):
        layers = _most_layers(load, replace(settings, context=context), machine, limits)
        if not layers:
            continue
        found = _candidate(load, replace(settings, context=context, gpu_layers=layers), machine, limits)
        yield found
        if _suffices(found, needs) and context <= needs.enough_context:
            return


def _most_layers(load: Load, settings: Settings, machine: Machine, limits: Budget) -> int:
    """Return how many layers fit on the accelerators, by halving; 0 when none does."""
    low, high = 0, load.variant.shape.num_hidden_layers
    while low < high:
        middle = (low + high + 1) // 2
        if _fits_on_accelerators(load, replace(settings, gpu_layers=middle), machine, limits):
            low = middle
        else:
            high = middle - 1
    return low


def _fits_on_accelerators(load: Load, settings: Settings, machine: Machine, limits: Budget) -> bool:
    memory = estimate(load, settings, machine.processor)
    parts = split(load, settings, memory, [one.memory_free for one in limits.accelerators])
    return all(part <= limit for part, limit in zip(parts, limits.gpus, strict=True))


def _suffices(candidate: Candidate, needs: Needs) -> bool:
    return candidate.fits and candidate.settings.context >= needs.enough_context


def _base(variant: Variant, needs: Needs) -> Settings:
    # Picture tokens that see each other must not be cut apart: the whole picture in one ubatch.
    ubatch = _PICTURE_UBATCH if needs.pictures and not variant.causal_images else _UBATCH
    return Settings(batch=ubatch, ubatch=ubatch)


def _with_cache(settings: Settings, kind: str) -> Settings:
    return replace(settings, cache_type_k=kind, cache_type_v=kind)


def _candidate(load: Load, settings: Settings, machine: Machine, limits: Budget) -> Candidate:
    memory = estimate(load, settings, machine.processor)
    parts = split(load, settings, memory, [one.memory_free for one in limits.accelerators])
    return Candidate(
        load,
        settings,
        memory,
        limits,
        parts,
        limits.shortfall(memory, parts),
        decode_speed(load, settings, machine, limits.accelerator),
        prefill_speed(load, settings, machine.processor),
        quality(load),
    )


def quality(load: Load) -> float:
    """Return the expected score in percent: the mean of the text benchmarks, less the quantization's loss."""
    scores = [load.variant.benchmarks[name] for name in _TEXT_BENCHMARKS]
    return sum(scores) / len(scores) * (1 - quantization_costs().loss(load.file))
