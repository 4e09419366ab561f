"""How much memory a model may take on a machine."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.fit.estimate import Estimate
from edgekit.hardware.machine import Accelerator, Machine

_MIB = 1 << 20


@dataclass(frozen=True)
class Budget:
    """Bytes that may be taken, reserves already set aside."""

    host: int
    gpu: int = 0
    accelerator: Accelerator | None = None

    def shortfall(self, estimate: Estimate) -> int:
        """Return how many bytes an estimate lacks; zero or less when it fits."""
        return max(self._on_host(estimate) - self.host, estimate.gpu - self.gpu)

    def share(self, estimate: Estimate) -> float:
        """Return how much of the tighter memory an estimate fills; above one it does not fit."""
        on_gpu = estimate.gpu / self.gpu if self.gpu > 0 else 0.0
        return max(self._on_host(estimate) / max(self.host, 1), on_gpu)

    def _on_host(self, estimate: Estimate) -> int:
        # Unified memory: what the GPU holds is main memory too.
        shared = self.accelerator is not None and self.accelerator.shares_memory
        return estimate.host_needed + (estimate.gpu if shared else 0)


def budget(machine: Machine) -> Budget:
    """Return a machine's budget: what is free, less a reserve for everything that grows meanwhile."""
    memory = machine.memory
    host = memory.available - max(128 * _MIB, memory.total // 20)
    usable = [one for one in machine.accelerators if one.usable and one.memory_free]
    if not usable:
        return Budget(host)
    # One device only: llama.cpp cannot split E2B and E4B over several (ggml-org/llama.cpp issue 21730).
    best = max(usable, key=lambda one: one.memory_free)
    # Buffers for a large picture are taken late, and a desktop shares the card.
    reserve = 0 if best.shares_memory else max(512 * _MIB, best.memory_total // 20)
    return Budget(host, best.memory_free - reserve, best)
