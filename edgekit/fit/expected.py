"""What a plan is expected to hold in memory once its model is loaded."""

from __future__ import annotations

from edgekit.fit.estimate import estimate
from edgekit.fit.plan import Plan
from edgekit.fit.recognized import file_load
from edgekit.gguf_header import read_header
from edgekit.hardware.machine import Machine


def expected_memory(plan: Plan, machine: Machine) -> int | None:
    """Return the bytes that stay in main memory besides pages of the model's file; None where no formula holds."""
    projector, drafter = (read_header(path) if path else None for path in (plan.projector, plan.drafter))
    load = file_load(read_header(plan.model), projector, drafter)
    if load is None:
        return None
    memory = estimate(load, plan.settings, machine.processor)
    return sum(line.bytes for line in memory.lines if line.where == "host")
