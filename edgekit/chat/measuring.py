"""Time or tune a model by its name, and keep what comes out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.chat.models import find_plan
from edgekit.chat.onnx_fit import graphs
from edgekit.chat.run_options import RunOptions
from edgekit.chat.runnable import find_runnable
from edgekit.engine.bench import Work, measure, suited
from edgekit.engine.check import check_model
from edgekit.engine.onnx.folder import check_folder
from edgekit.engine.open_model import timed_model
from edgekit.engine.threads import physical_cores
from edgekit.engine.tune import Tuning, tune
from edgekit.fit.budget import budget
from edgekit.fit.folder_bench import keep_folder_bench
from edgekit.fit.measured import file
from edgekit.fit.onnx_plan import OnnxPlan
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


# Samples with what was predicted of them, and what keeps them.
_Result = tuple[tuple[Row, ...], Callable[[], object]]


@dataclass(frozen=True)
class Timed:
    """A timed model."""

    plan: Plan | OnnxPlan
    # What computes beneath: llama.cpp or onnxruntime.
    library: str
    threads: int
    rows: tuple[Row, ...]
    # Where it is kept, None where the home cannot be written.
    kept: Path | None


def time_model(name: str, work: Work, options: RunOptions, progress: Progress, stop: threading.Event) -> Timed:
    """Time prefill and decode as chat would run the model, and keep the result; StoppedError when `stop` is set."""
    plan = find_runnable(name, options, progress, usual=work.context, media=False)
    work = suited(work, plan.context)
    plan = replace(plan, context=work.context)
    # Only files of llama.cpp's are predicted, from its kernels.
    machine = probe(measure=isinstance(plan, Plan), progress=progress)
    threads = plan.threads or physical_cores()
    with timed_model(plan, lambda share: progress(share, 1, "loading")) as model:
        samples, library = list(measure(model, work, progress, stop)), model.library
    if isinstance(plan, OnnxPlan):
        rows, keep = _of_folder(plan, threads, machine, samples)
    else:
        rows, keep = _of_file(plan, threads, machine, samples)
    return Timed(plan, library, threads, rows, _kept(keep))


def _of_folder(plan: OnnxPlan, threads: int, machine: Machine, samples: list[Sample]) -> _Result:
    parts = graphs(check_folder(plan.model), plan.precision)
    rows = tuple(Row(one, None) for one in samples)
    return rows, lambda: keep_folder_bench(plan, threads, parts, machine, samples)


def _of_file(plan: Plan, threads: int, machine: Machine, samples: list[Sample]) -> _Result:
    header = check_model(plan.model)
    rows = tuple(Row(one, _predicted(one.test, one.depth, plan, header, machine)) for one in samples)
    return rows, lambda: keep_bench(plan, threads, header, machine, samples)


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
