"""Keep what was measured of a file, under what is known of it."""

from __future__ import annotations

from datetime import date

from edgekit.fit.measured import digest, keep
from edgekit.fit.plan import Plan
from edgekit.fit.recognized import recognized
from edgekit.fit.samples import Bench, Sample, Tuned
from edgekit.gguf_header import Header
from edgekit.hardware.kept import machine_key
from edgekit.hardware.machine import Machine


def keep_bench(plan: Plan, threads: int, header: Header, machine: Machine, samples: list[Sample]) -> Bench:
    """Keep the samples of a plan that ran with so many threads; OSError where the home cannot be written."""
    load = recognized(header)
    made = Bench(
        machine=machine_key(machine.processor, machine.memory),
        file=header.path.name,
        bytes=header.bytes,
        digest=digest(header.path),
        variant=load.variant.name if load else None,
        quantization=load.file.quantization if load else None,
        threads=threads,
        batch_threads=plan.batch_threads or threads,
        ubatch=plan.ubatch,
        repack=plan.repack,
        gpu_layers=plan.gpu_layers,
        cache_type=plan.cache_type_k,
        date=date.today().isoformat(),
        samples=tuple(samples),
    )
    keep(made)
    return made


def keep_tuned(
    threads: int, batch_threads: int, ubatch: int, repack: bool, *, header: Header, machine: Machine
) -> Tuned:
    """Keep the settings that were found best for a file; OSError where the home cannot be written."""
    made = Tuned(
        machine=machine_key(machine.processor, machine.memory),
        bytes=header.bytes,
        digest=digest(header.path),
        threads=threads,
        batch_threads=batch_threads,
        ubatch=ubatch,
        repack=repack,
        date=date.today().isoformat(),
    )
    keep(made)
    return made
