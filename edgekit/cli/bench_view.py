"""How measured speeds and tried settings look."""

from __future__ import annotations

import shlex
from pathlib import Path
from statistics import median
from typing import Any

from rich.table import Table
from rich.text import Text

from edgekit.chat.measuring import Row, Timed
from edgekit.cli import output
from edgekit.engine.onnx.runtime import CPU
from edgekit.engine.tune import Trial, Tuning
from edgekit.fit.onnx_plan import OnnxPlan
from edgekit.fit.plan import Plan
from edgekit.fit.speed import Speed


def show_timed(timed: Timed, *, json: bool) -> None:
    """Print measured speeds."""
    if json:
        output.json_object(_timed_as_json(timed))
        return
    table = _table("", "after", "edgekit", timed.library, "ratio", "predicted")
    for row in timed.rows:
        sample = row.sample
        table.add_row(
            Text(f"{sample.test} {sample.tokens}", "bold"),
            f"{sample.depth:,}",
            _spread(sample.edgekit),
            _spread(sample.alone),
            f"{sample.ratio:.1%}",
            _range(row.predicted),
        )
    output.show(table)
    threads = "1 thread" if timed.threads == 1 else f"{timed.threads} threads"
    output.hint(
        f"Tokens per second, middle of {len(timed.rows[0].sample.edgekit)} with half their spread; {threads}, "
        f"{_way(timed.plan)}."
    )
    predicted = next((row.predicted for row in timed.rows if row.predicted), None)
    if predicted:
        output.hint(f"Predicted from {predicted.basis}.")
    _tell_kept(timed.kept, _use(timed.plan, is_known=predicted is not None))


def show_tuning(found: Tuning, kept: Path | None, *, json: bool) -> None:
    """Print the settings that were tried, the best one marked."""
    if json:
        trials = [_trial_as_json(one) for one in found.trials]
        best = _trial_as_json(found.best)
        output.json_object({"best": best, "trials": trials, "complete": found.complete, "kept": kept})
        return
    table = _table("", "threads", "batch threads", "ubatch", "repack", "prefill", "decode", "a turn")
    for one in found.trials:
        chosen, way = one is found.best, one.way
        table.add_row(
            Text("→" if chosen else "", "bold green"),
            *map(str, (way.threads, way.batch_threads, way.ubatch)),
            "yes" if way.repack else "no",
            f"{one.prefill:.1f}",
            f"{one.decode:.1f}",
            f"{one.turn:.1f} s",
            style="bold" if chosen else "",
        )
    output.show(table)
    output.hint("Tokens per second; a turn reads 512 tokens and writes 128.")
    if not found.complete:
        output.hint("Time was up before everything was tried: --seconds gives more.")
    _tell_kept(kept, "chat and run use these settings for this model")


def _way(plan: Plan | OnnxPlan) -> str:
    if isinstance(plan, OnnxPlan):
        return f"{plan.precision} by {plan.provider}"
    copy = "with" if plan.repack else "without"
    return f"ubatch {plan.ubatch}, {copy} the rearranged copy of the weights"


def _use(plan: Plan | OnnxPlan, *, is_known: bool) -> str:
    """Return what a kept bench is for; empty where nothing shows it."""
    if isinstance(plan, OnnxPlan):
        command = shlex.join(["edgekit", "pick", "--model", str(plan.model), "--quant", plan.precision])
        return f"`{command}` shows these speeds" if plan.provider == CPU else ""
    return "pick shows these speeds for this variant and quantization" if is_known else ""


def _tell_kept(kept: Path | None, use: str) -> None:
    why = f": {use}" if use else ""
    output.hint(f"Kept in {kept}{why}." if kept else "Could not be kept: the home cannot be written.")


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for index, name in enumerate(names):
        table.add_column(name, justify="right" if index else "left", no_wrap=True)
    return table


def _spread(rates: tuple[float, ...]) -> str:
    return f"{median(rates):.1f} ± {(max(rates) - min(rates)) / 2:.1f}"


def _range(speed: Speed | None) -> str:
    return f"{speed.low:.1f} – {speed.high:.1f}" if speed else "unknown"


def _timed_as_json(timed: Timed) -> dict[str, Any]:
    plan = timed.plan
    return {
        "model": plan.model,
        "settings": {"context": plan.context, "threads": timed.threads, **_settings(plan, timed.threads)},
        "results": [_row_as_json(row, timed.library.replace(".", "_")) for row in timed.rows],
        "kept": timed.kept,
    }


def _settings(plan: Plan | OnnxPlan, threads: int) -> dict[str, Any]:
    if isinstance(plan, OnnxPlan):
        return {"quantization": plan.precision, "provider": plan.provider}
    return {
        "batch_threads": plan.batch_threads or threads,
        "ubatch": plan.ubatch,
        "repack": plan.repack,
        "gpu_layers": plan.gpu_layers,
        "cache_type": plan.cache_type_k,
    }


def _row_as_json(row: Row, library: str) -> dict[str, Any]:
    sample, predicted = row.sample, row.predicted
    return {
        "test": sample.test,
        "depth": sample.depth,
        "tokens": sample.tokens,
        "tokens_per_second": median(sample.edgekit),
        "repetitions": sample.edgekit,
        f"{library}_tokens_per_second": median(sample.alone),
        f"{library}_repetitions": sample.alone,
        "ratio": sample.ratio,
        "predicted": predicted and {"low": predicted.low, "high": predicted.high, "basis": predicted.basis},
    }


def _trial_as_json(trial: Trial) -> dict[str, Any]:
    return {
        **vars(trial.way),
        "prefill_tokens_per_second": trial.prefill,
        "decode_tokens_per_second": trial.decode,
        "turn_seconds": trial.turn,
    }
