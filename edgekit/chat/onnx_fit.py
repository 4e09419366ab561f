"""Whether a folder of ONNX files runs on a machine, in which precision, and what that takes."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.convert.gemma4.config import TextConfig, read_config
from edgekit.engine.check import check_trained
from edgekit.engine.onnx.folder import TEXT_PARTS, OnnxFolder
from edgekit.engine.onnx.runtime import CPU
from edgekit.fit.budget import Budget, budgets
from edgekit.fit.estimate import PROCESS, Estimate, Line
from edgekit.fit.folder_bench import Graphs, folder_speed
from edgekit.fit.onnx_plan import BATCH, OnnxPlan
from edgekit.fit.samples import Test
from edgekit.fit.speed import Speed
from edgekit.hardware.machine import Machine

_GIB = 1 << 30
_CONTEXT = 8192
# The best first. A processor computes in float32: half precision costs it conversions at every operation.
_ON_CPU = ("fp32", "int8", "q8", "q4", "fp16", "q4f16")
_ELSEWHERE = ("fp32", "fp16", "int8", "q8", "q4f16", "q4")
_HALF = ("fp16", "q4f16")
_TINY = 64 << 20
# What onnxruntime keeps of matrices in memory, as a multiple of the file: E2B's q4 1.2, with sums of blocks; halves are
# computed as float32 by a processor.
_PACKED = {"q4": 1.2, "q4f16": 1.2, "int8": 1.1, "q8": 1.1, "fp16": 2.0}


@dataclass(frozen=True)
class OnnxPick:
    """One precision of a folder with a context; if none fits, the smallest."""

    folder: OnnxFolder
    plan: OnnxPlan
    memory: Estimate
    limits: Budget
    # Bytes missing; zero or less when it fits.
    shortfall: int
    reason: str

    @property
    def fits(self) -> bool:
        """Return whether the machine has the memory."""
        return self.shortfall <= 0


def fit_folder(
    folder: OnnxFolder,
    machine: Machine,
    *,
    context: int | None = None,
    precision: str | None = None,
    provider: str = CPU,
) -> OnnxPick:
    """Return how to run a checked folder: in the given precision, or the best that fits into main memory.

    Raises UnsupportedError for a context longer than what the model was trained for.
    """
    context = context or min(_CONTEXT, folder.trained_context or _CONTEXT)
    check_trained(folder.path.name, folder.trained_context, context)
    limits = next(iter(budgets(machine)))
    order = _ON_CPU if provider == CPU else _ELSEWHERE
    names = [precision] if precision else sorted(folder.precisions, key=order.index)
    plans = [OnnxPlan(folder.path, name, context, provider, threads=_threads(folder, name)) for name in names]
    found = [_judged(folder, plan, limits) for plan in plans]
    return next((one for one in found if one.fits), None) or min(found, key=lambda one: one.shortfall)


def graphs(folder: OnnxFolder, precision: str) -> Graphs:
    """Return what measurements of a precision are kept under."""
    decoder, *_ = folder.part_files(TEXT_PARTS[1], precision)
    return Graphs(decoder, folder.bytes(precision))


def speed_here(test: Test, found: OnnxPick, machine: Machine, depth: int) -> Speed | None:
    """Return what `edgekit bench` measured of a pick on this machine after `depth` tokens; None where it did not."""
    return folder_speed(test, found.plan, graphs(found.folder, found.plan.precision), machine, depth)


def memory(folder: OnnxFolder, plan: OnnxPlan) -> Estimate:
    """Return what onnxruntime holds, line by line.

    It maps the table of embeddings, of which rows are looked up, and packs the matrices anew in memory of its own.
    """
    config = read_config(folder.config).text
    embed = sum(file.stat().st_size for file in folder.part_files(TEXT_PARTS[0], plan.precision))
    decoder = sum(file.stat().st_size for file in folder.part_files(TEXT_PARTS[1], plan.precision))
    encoders = folder.bytes(plan.precision) - embed - decoder
    packed = int(decoder * _PACKED.get(plan.precision, 1.0))
    rows = embed * plan.context // max(folder.vocabulary_size, plan.context)
    lines = (
        Line("weights", packed, "host", packed),
        Line("token_embeddings", embed, "file", rows),
        Line("kv_full", _cache(config, plan), "host", _cache(config, plan)),
        Line("compute", _compute(folder, config, plan), "host", _compute(folder, config, plan)),
        Line("projector", encoders, "host", encoders),
        Line("process", PROCESS, "host", PROCESS),
    )
    return Estimate(tuple(line for line in lines if line.bytes))


def _judged(folder: OnnxFolder, plan: OnnxPlan, limits: Budget) -> OnnxPick:
    taken = memory(folder, plan)
    shortfall = limits.shortfall(taken, ())
    if shortfall <= 0:
        room = f"{taken.host_needed / _GIB:.1f} of {limits.host / _GIB:.1f} GiB of main memory"
        reason = f"Fits in {plan.precision} with a context of {plan.context:,}: {room}."
    else:
        reason = f"Lacks {shortfall / _GIB:.1f} GiB in {plan.precision} with a context of {plan.context:,}."
    return OnnxPick(folder, plan, taken, limits, shortfall, reason)


def _threads(folder: OnnxFolder, precision: str) -> int | None:
    # So few bytes are computed faster on one thread than two can meet after every operation.
    return 1 if folder.bytes(precision) < _TINY else None


def _cache(config: TextConfig, plan: OnnxPlan) -> int:
    width = sum(2 * config.attention.kv_width(layer) for layer in range(config.own_kv_layers))
    return plan.context * width * (2 if plan.precision in _HALF else 4)


def _compute(folder: OnnxFolder, config: TextConfig, plan: OnnxPlan) -> int:
    # A batch's scores of attention, its widest states, and a row of logits.
    widest = max(config.feed_forward(layer) for layer in range(config.layers))
    per_token = config.heads * plan.context + 6 * config.hidden_size + 3 * widest
    return 4 * (BATCH * (per_token + config.layers * config.per_layer_input) + folder.vocabulary_size)
