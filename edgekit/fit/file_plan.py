"""Suit the plan for a file on disk to the machine, as `edgekit pick` would run it."""

from __future__ import annotations

from dataclasses import replace

from edgekit.fit.needs import Needs
from edgekit.fit.placement import best_candidate
from edgekit.fit.plan import Plan
from edgekit.fit.recognized import file_load
from edgekit.gguf_header import Header, read_header
from edgekit.hardware.machine import Machine


def suited(plan: Plan, header: Header, machine: Machine) -> Plan:
    """Return the plan with the placement, cache type and repacking that suit the machine best at its context.

    What edgekit has no formula for stays in main memory, without a second copy of the weights.
    """
    load = file_load(header, read_header(plan.projector) if plan.projector else None)
    if load is None:
        return replace(plan, gpu_layers=0, repack=False)
    best = best_candidate(load, machine, Needs(plan.context, load.modalities)).settings
    return replace(
        plan,
        gpu_layers=best.gpu_layers,
        gpus=best.gpus,
        repack=best.repack,
        cache_type_k=best.cache_type_k,
        cache_type_v=best.cache_type_v,
    )
