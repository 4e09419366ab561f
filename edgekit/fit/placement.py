"""The best way to run a file on a machine: context, repack and layers on the accelerator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from edgekit.catalog.load import quantization_costs
from edgekit.catalog.variant import Variant
from edgekit.fit.budget import Budget
from edgekit.fit.candidate import Candidate
from edgekit.fit.estimate import Load, estimate
from edgekit.fit.needs import CONTEXTS, Needs
from edgekit.fit.repack import repacks
from edgekit.fit.settings import Settings
from edgekit.fit.speed import decode_speed, prefill_speed
from edgekit.hardware.machine import Machine

# Ubatch that holds the largest picture (1120 soft tokens), a multiple of 32.
_PICTURE_UBATCH = 1120
_UBATCH = 512
# What tells the variants apart in text; a mean of published percentages.
_TEXT_BENCHMARKS = ("mmlu_pro", "gpqa_diamond", "aime_2026", "livecodebench_v6")


def best_candidate(load: Load, machine: Machine, limits: Budget, needs: Needs) -> Candidate:
    """Return a load with the settings that suit the needs best; if none fits, those that lack least."""
    found = [_candidate(load, settings, machine, limits) for settings in _settings(load, machine, limits, needs)]
    fitting = [one for one in found if one.fits]
    if fitting:
        return max(fitting, key=lambda one: one.rank(needs))
    return min(found, key=lambda one: one.shortfall)


def _settings(load: Load, machine: Machine, limits: Budget, needs: Needs) -> Iterator[Settings]:
    contexts = [needs.context] if needs.context else [one for one in CONTEXTS if one <= load.variant.context]
    for context in contexts:
        settings = replace(_base(load.variant, needs), context=context)
        yield settings
        if repacks(machine.processor):
            yield replace(settings, repack=True)
        if limits.accelerator is not None:
            yield from _on_accelerator(load, settings, machine, limits)


def _base(variant: Variant, needs: Needs) -> Settings:
    # Picture tokens that see each other must not be cut apart: the whole picture in one ubatch.
    ubatch = _PICTURE_UBATCH if needs.pictures and not variant.causal_images else _UBATCH
    return Settings(batch=ubatch, ubatch=ubatch)


def _on_accelerator(load: Load, settings: Settings, machine: Machine, limits: Budget) -> Iterator[Settings]:
    everything = load.variant.shape.num_hidden_layers + 1
    yield replace(settings, gpu_layers=everything)
    low, high = 0, everything
    # The more layers the accelerator takes the less fits: the most that fit, by halving.
    while low < high:
        middle = (low + high + 1) // 2
        if estimate(load, replace(settings, gpu_layers=middle), machine.processor).gpu <= limits.gpu:
            low = middle
        else:
            high = middle - 1
    if 0 < low < everything:
        yield replace(settings, gpu_layers=low)


def _candidate(load: Load, settings: Settings, machine: Machine, limits: Budget) -> Candidate:
    memory = estimate(load, settings, machine.processor)
    return Candidate(
        load,
        settings,
        memory,
        limits.shortfall(memory),
        decode_speed(load, settings, machine, limits.accelerator),
        prefill_speed(load, settings, machine.processor),
        quality(load),
    )


def quality(load: Load) -> float:
    """Return the expected score in percent: the mean of the text benchmarks, less the quantization's loss."""
    scores = [load.variant.benchmarks[name] for name in _TEXT_BENCHMARKS]
    return sum(scores) / len(scores) * (1 - quantization_costs().loss(load.file))
