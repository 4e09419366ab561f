"""Time or tune a model by its name, and keep what comes out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.chat.models import find_plan
from edgekit.engine.bench import Work, measure, suited
from edgekit.engine.check import check_model
from edgekit.engine.engine import Engine
from edgekit.engine.threads import physical_cores
from edgekit.engine.tune import Tuning, tune
from edgekit.fit.budget import budget
from edgekit.fit.measured import file
from edgekit.fit.plan import Plan
from edgekit.fit.recognized import recognized
from edgekit.fit.recording import keep_bench, keep_tuned
from edgekit.fit.samples import Sample, Test
from edgekit.fit.speed import Speed, predicted_decode, predicted_prefill
from edgekit.gguf_header import Header
from edgekit.hardware.machine import Machine
from edgekit.hardware.probe import probe

# Hears how much is done, of how much, and in a few words what is being done.
Progress = Callable[[float, float, str], None]


@dataclass(frozen=True)
class Row:
    """A sample, and what edgekit would have said; None where the model is no known variant."""

    sample: Sample
    predicted: Speed | None


@dataclass(frozen=True)
class Timed:
    """A timed model."""

    plan: Plan
    threads: int
    rows: tuple[Row, ...]
    # Where it is kept, None where the home cannot be written.
    kept: Path | None


def time_model(
    name: str, work: Work, context: int | None, progress: Progress, stop: threading.Event, *, force: bool = False
) -> Timed:
    """Time prefill and decode as chat would run the model, and keep the result; StoppedError when `stop` is set."""
    plan = find_plan(name, context=context, usual=work.context, media=False, force=force, progress=progress)
    header = check_model(plan.model)
    work = suited(work, plan.context)
    machine = probe(measure=True, progress=progress)
    plan = replace(plan, context=work.context)
    threads = plan.threads or physical_cores()
    with Engine.open(plan, lambda share: progress(share, 1, "loading")) as engine:
        samples = list(measure(engine, work, progress, stop))
    rows = tuple(Row(one, _predicted(one.test, one.depth, plan, header, machine)) for one in samples)
    return Timed(plan, threads, rows, _kept(lambda: keep_bench(plan, threads, header, machine, samples)))


def tune_model(
    name: str, seconds: float, progress: Progress, stop: threading.Event, *, force: bool = False
) -> tuple[Tuning, Path | None]:
    """Find the best settings for a model and keep them; StoppedError, with nothing kept, when `stop` is set."""
    plan = find_plan(name, force=force, progress=progress, as_tuned=False)
    header, machine = check_model(plan.model), probe()
    found = tune(plan, machine.processor.usable_threads, seconds, progress, stop)
    return found, _kept(lambda: keep_tuned(**vars(found.best.way), header=header, machine=machine))


def _kept(keep: Callable[[], object]) -> Path | None:
    try:
        keep()
    except OSError:
        return None
    return file()


def _predicted(test: Test, depth: int, plan: Plan, header: Header, machine: Machine) -> Speed | None:
    load = recognized(header)
    if load is None:
        return None
    if test == "prefill":
        return predicted_prefill(load, plan.settings, machine, depth)
    return predicted_decode(load, plan.settings, machine, budget(machine).accelerator, depth)
