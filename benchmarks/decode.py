"""Speed of a real E2B Q4_K_M in edgekit's own engine, beside what edgekit predicts for this machine.

Usage: python benchmarks/decode.py [--model FILE.gguf] [--repetitions N]

Without --model, 3.4 GB of noise in E2B's shape are written to a temporary folder. The memory and llama.cpp's kernels
are timed afresh, then prefill and decode after 0, 1,024 and 4,096 tokens, with and without the rearranged copy of the
weights, in turns with llama.cpp's bare loop. Wants a quiet machine.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

from synthetic_model import write_synthetic

from edgekit.engine.bench import Work, measure
from edgekit.engine.engine import Engine
from edgekit.engine.timed_llama import TimedLlama
from edgekit.fit.estimate import Load
from edgekit.fit.plan import Plan
from edgekit.fit.recognized import recognized
from edgekit.fit.settings import Settings
from edgekit.fit.speed import predicted_decode, predicted_prefill
from edgekit.gguf_header import read_header
from edgekit.hardware.bandwidth import measured_bandwidth
from edgekit.hardware.kernels import time_kernels
from edgekit.hardware.machine import Machine
from edgekit.hardware.probe import probe


def main() -> None:
    """Print predicted and measured speeds, and the worst error of each kind."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--model", type=Path)
    arguments.add_argument("--repetitions", type=int, default=3)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = given.model or write_synthetic("E2B", "Q4_K_M", Path(folder) / "gemma-4-E2B-it-Q4_K_M.gguf")
        compare(model, Work((0, 1024, 4096), repetitions=given.repetitions))


def compare(model: Path, work: Work) -> None:
    """Print a table in tokens per second."""
    machine, load = timed_machine(), recognized(read_header(model))
    assert load, f"{model} is no known variant"
    worst: dict[str, float] = {"prefill": 0.0, "decode": 0.0}
    print(
        f"\n{'test':8}{'after':>6}{'repack':>8}{'predicted':>11}{'measured':>10}{'error':>8}{'llama.cpp':>11}{'ratio':>7}"
    )
    for repack in (False, True):
        settings = Settings(context=work.context, repack=repack)
        plan = Plan(model, context=work.context, repack=repack, threads=machine.processor.physical_cores)
        with Engine.open(plan) as engine:
            for sample in measure(TimedLlama(engine), work, lambda done, total, text: None, threading.Event()):
                predicted = _predicted(sample.test, sample.depth, load, settings, machine)
                error = predicted / max(sample.edgekit) - 1
                worst[sample.test] = max(worst[sample.test], error, key=abs)
                print(
                    f"{sample.test:8}{sample.depth:6}{repack!s:>8}{predicted:11.1f}{max(sample.edgekit):10.1f}"
                    f"{error:+8.1%}{max(sample.alone):11.1f}{sample.ratio:7.1%}",
                    flush=True,
                )
    print(f"worst error: decode {worst['decode']:+.1%}, prefill {worst['prefill']:+.1%}")


def timed_machine() -> Machine:
    """Return this machine with its memory and kernels timed now, and print what they came to."""
    machine = probe()
    bandwidth = measured_bandwidth(machine.processor, machine.memory)
    kernels = time_kernels(machine.processor.physical_cores, lambda done, total: None)
    print(f"load average {os.getloadavg()[0]:.1f}; memory reads {bandwidth / 1e9:.1f} GB/s")
    for name, unit, values in (
        ("decode", "GB/s of weights", kernels.decode),
        ("decode, repacked", "GB/s of weights", kernels.decode_repacked),
        ("prefill", "GMAC/s", kernels.prefill),
        ("prefill, repacked", "GMAC/s", kernels.prefill_repacked),
    ):
        rates = ", ".join(f"{kind} {rate / 1e9:.1f}" for kind, rate in values.items())
        print(f"{name}: {rates} {unit}")
    attention = kernels.attention_decode / 1e9, kernels.attention_prefill / 1e9
    print(f"attention: {attention[0]:.1f} and {attention[1]:.1f} GMAC/s; a step {kernels.step * 1e6:.2f} us")
    return replace(machine, memory_bandwidth=bandwidth, bandwidth_basis="measured", kernels=kernels)


def _predicted(test: str, depth: int, load: Load, settings: Settings, machine: Machine) -> float:
    if test == "decode":
        return predicted_decode(load, settings, machine, None, depth).middle
    speed = predicted_prefill(load, settings, machine, depth)
    assert speed
    return speed.middle


if __name__ == "__main__":
    main()
