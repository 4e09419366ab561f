"""The best way to run one file on a machine, and what that takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from edgekit.fit.budget import Budget, budgets
from edgekit.fit.buffers import Buffers
from edgekit.fit.estimate import PROCESS, Estimate, Line, Load
from edgekit.fit.guide import advice
from edgekit.fit.needs import Needs
from edgekit.fit.picker import Pick
from edgekit.fit.placement import PICTURE_UBATCH, best_candidate
from edgekit.fit.plan import Plan
from edgekit.fit.reasons import shortage
from edgekit.fit.settings import Settings
from edgekit.fit.speed import Speed
from edgekit.gguf_header import Header
from edgekit.hardware.machine import Machine

_GIB = 1 << 30
_CACHE_TYPES = ("F16", "Q8_0")


@dataclass(frozen=True)
class FilePick:
    """A file with the settings that suit the machine best; if none fits, those that lack least."""

    header: Header
    projector: Header | None
    # None where no formula of edgekit's holds: llama.cpp's own dry run counted.
    load: Load | None
    settings: Settings
    memory: Estimate
    limits: Budget
    # Bytes missing; zero or less when it fits.
    shortfall: int
    reason: str
    decode: Speed | None = None
    prefill: Speed | None = None

    @property
    def fits(self) -> bool:
        """Return whether the machine has the memory."""
        return self.shortfall <= 0

    @property
    def placement(self) -> str:
        """Return where the layers run: cpu, gpu or partial."""
        if self.load is None or not self.settings.gpu_layers:
            return "cpu"
        return "gpu" if self.settings.gpu_layers > self.load.variant.shape.num_hidden_layers else "partial"

    def plan(self, threads: int | None = None) -> Plan:
        """Return what the engine needs to run the file so."""
        return Plan.of(self.settings, self.header.path, self.projector.path if self.projector else None, threads)


def pick_file(load: Load, header: Header, projector: Header | None, machine: Machine, needs: Needs) -> FilePick:
    """Return how to run a Gemma 4 file, by edgekit's own formulas."""
    best = best_candidate(load, machine, needs)
    alone = Pick(machine, needs, (best,), best if best.fits else None, advice(machine, needs), ())
    reason = _room(best.memory, best.limits, best.settings) if best.fits else shortage(best, alone)
    return FilePick(
        header,
        projector,
        load,
        best.settings,
        best.memory,
        best.limits,
        best.shortfall,
        reason,
        best.decode,
        best.prefill,
    )


def ways(needs: Needs, trained: int) -> Iterator[Settings]:
    """Yield the settings to try for a file of any architecture, contexts from the largest down, F16 before Q8_0."""
    # Which of them read pictures causally is not known here.
    batch = PICTURE_UBATCH if needs.pictures else Settings.batch
    for context in needs.contexts(trained, on_card=False):
        for kind in _CACHE_TYPES:
            yield Settings(context=context, batch=batch, ubatch=batch, cache_type_k=kind, cache_type_v=kind)


def pick_by_dry_run(
    header: Header, projector: Header | None, machine: Machine, said: Mapping[Settings, Buffers]
) -> FilePick:
    """Return how to run a file in main memory, by what llama.cpp says that each of some `ways` takes."""
    limits = next(iter(budgets(machine)))
    found = [_asked(header, projector, limits, settings, buffers) for settings, buffers in said.items()]
    return next((one for one in found if one.fits), None) or min(found, key=lambda one: one.shortfall)


def _asked(header: Header, projector: Header | None, limits: Budget, settings: Settings, said: Buffers) -> FilePick:
    sizes = [
        ("weights", header.bytes, "file"),
        ("kv_full", said.cache, "host"),
        ("compute", said.compute, "host"),
        ("output", said.output, "host"),
        ("projector", projector.bytes if projector else 0, "host"),
        ("process", PROCESS, "host"),
    ]
    memory = Estimate(tuple(Line(what, size, where, size) for what, size, where in sizes if size))  # type: ignore[arg-type]
    shortfall = limits.shortfall(memory, ())
    reason = (
        _room(memory, limits, settings)
        if shortfall <= 0
        else f"Lacks {shortfall / _GIB:.1f} GiB even with a context of {settings.context:,} and the KV cache at Q8_0."
    )
    return FilePick(header, projector, None, settings, memory, limits, shortfall, reason)


def _room(memory: Estimate, limits: Budget, settings: Settings) -> str:
    cache = "" if settings.cache_type_k == "F16" else f" and the KV cache at {settings.cache_type_k}"
    needs = [f"{memory.host_needed / _GIB:.1f} of {limits.host / _GIB:.1f} GiB of main memory"]
    if memory.gpu:
        needs.append(f"{memory.gpu / _GIB:.1f} of {limits.gpu / _GIB:.1f} GiB on the GPU")
    return f"Fits with a context of {settings.context:,}{cache}: {' and '.join(needs)}."
