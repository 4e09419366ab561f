"""What `edgekit bench` measured of a folder of ONNX files: kept, and found again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from edgekit.fit.measured import digest, keep
from edgekit.fit.onnx_plan import BATCH, OnnxPlan
from edgekit.fit.samples import Bench, Sample, Test
from edgekit.fit.speed import Speed, measured_speed
from edgekit.hardware.kept import machine_key
from edgekit.hardware.machine import Machine

_HALF = ("fp16", "q4f16")


@dataclass(frozen=True)
class Graphs:
    """What tells the graphs of one precision from others, wherever they lie: the decoder's nodes, and all bytes.

    Two fine-tunes of one model have the same, and compute as fast.
    """

    decoder: Path
    bytes: int


def keep_folder_bench(plan: OnnxPlan, threads: int, graphs: Graphs, machine: Machine, samples: list[Sample]) -> Bench:
    """Keep the samples of a plan that ran with so many threads; OSError where the home cannot be written."""
    made = Bench(
        machine=machine_key(machine.processor, machine.memory),
        file=plan.model.resolve().name,
        bytes=graphs.bytes,
        digest=digest(graphs.decoder),
        # Predictions and pick's choice are of GGUF files.
        variant=None,
        quantization=plan.precision,
        threads=threads,
        batch_threads=threads,
        ubatch=BATCH,
        repack=False,
        gpu_layers=0,
        cache_type="F16" if plan.precision in _HALF else "F32",
        date=date.today().isoformat(),
        samples=tuple(samples),
        provider=plan.provider,
    )
    keep(made)
    return made


def folder_speed(test: Test, plan: OnnxPlan, graphs: Graphs, machine: Machine, depth: int) -> Speed | None:
    """Return the speed of a plan's graphs as measured last on this machine; None where they were not."""
    wanted = (graphs.bytes, plan.precision, plan.provider)

    def is_wanted(bench: Bench) -> bool:
        had = (bench.bytes, bench.quantization, bench.provider)
        return had == wanted and bench.digest == digest(graphs.decoder)

    return measured_speed(test, machine, depth, is_wanted)
