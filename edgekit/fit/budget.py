"""How much memory a model may take on a machine, and on which devices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from edgekit.fit.estimate import Estimate
from edgekit.hardware.machine import Accelerator, Machine

_MIB = 1 << 20


@dataclass(frozen=True)
class Budget:
    """Bytes that may be taken, reserves already set aside; the accelerators share the layers."""

    host: int
    accelerators: tuple[Accelerator, ...] = ()

    @property
    def unified(self) -> bool:
        """Return whether what the accelerators hold is main memory."""
        return any(one.shares_memory for one in self.accelerators)

    @property
    def gpus(self) -> tuple[int, ...]:
        """Return what each accelerator may hold."""
        return tuple(one.memory_free - _reserve(one) for one in self.accelerators)

    @property
    def gpu(self) -> int:
        """Return what the accelerators may hold together."""
        return sum(self.gpus)

    @property
    def accelerator(self) -> Accelerator | None:
        """Return the accelerators as if they were one, None without any."""
        return _together(self.accelerators) if self.accelerators else None

    def shortfall(self, estimate: Estimate, parts: Sequence[int]) -> int:
        """Return how many bytes an estimate lacks, `parts` being those on each accelerator; at most zero if it fits."""
        lacks = [part - limit for part, limit in zip(parts, self.gpus, strict=True)]
        on_gpus = sum(lack for lack in lacks if lack > 0) or max(lacks, default=-self.host)
        return max(self._on_host(estimate) - self.host, on_gpus)

    def share(self, estimate: Estimate, parts: Sequence[int]) -> float:
        """Return how much of the tightest memory an estimate fills; above one it does not fit."""
        on_gpus = (part / max(limit, 1) for part, limit in zip(parts, self.gpus, strict=True))
        return max(self._on_host(estimate) / max(self.host, 1), *on_gpus, 0.0)

    def _on_host(self, estimate: Estimate) -> int:
        # Unified memory: what the GPU holds is main memory too.
        return estimate.host_needed + (estimate.gpu if self.unified else 0)


def budget(machine: Machine) -> Budget:
    """Return the budget of a machine with its largest accelerator."""
    return Budget(host_budget(machine.memory.total, machine.memory.available), _usable(machine)[:1])


def budgets(machine: Machine) -> Iterator[Budget]:
    """Yield the budgets worth trying: no accelerator, the largest one, and where there are several all of them."""
    best = budget(machine)
    yield Budget(best.host)
    if best.accelerators:
        yield best
        several = tuple(one for one in _usable(machine) if not one.shares_memory)
        if len(several) > 1:
            yield Budget(best.host, several)


def host_budget(total: int, available: int) -> int:
    """Return what is free, less a reserve for everything that grows meanwhile: a sixteenth of all, at most 2 GiB."""
    return available - min(max(128 * _MIB, total // 16), 2048 * _MIB)


def _usable(machine: Machine) -> tuple[Accelerator, ...]:
    usable = [one for one in machine.accelerators if one.usable and one.memory_free]
    # As llama.cpp has it: integrated graphics count only where nothing else is there.
    discrete = [one for one in usable if not one.shares_memory]
    return tuple(sorted(discrete or usable, key=lambda one: one.memory_free, reverse=True))


def _reserve(accelerator: Accelerator) -> int:
    # Buffers for a large picture are taken late, and a desktop shares the card.
    return 0 if accelerator.shares_memory else max(512 * _MIB, accelerator.memory_total // 20)


def _together(accelerators: tuple[Accelerator, ...]) -> Accelerator:
    first = accelerators[0]
    if len(accelerators) == 1:
        return first
    free = sum(one.memory_free for one in accelerators)
    # One after the other, each reads its share of the layers.
    times = [one.memory_bandwidth and one.memory_free / one.memory_bandwidth for one in accelerators]
    known = [time for time in times if time]
    return replace(
        first,
        name=" + ".join(one.name for one in accelerators),
        memory_total=sum(one.memory_total for one in accelerators),
        memory_free=free,
        memory_bandwidth=free / sum(known) if len(known) == len(times) else None,
    )
