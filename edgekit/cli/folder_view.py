"""`edgekit pick --model` on a folder of ONNX files: what it takes here, and in which precision to run it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from rich.text import Text

from edgekit.chat.onnx_fit import OnnxPick, fit_folder
from edgekit.cli import machine_view, memory_view, output
from edgekit.engine.onnx.damage import check_whole
from edgekit.engine.onnx.folder import check_folder
from edgekit.fit.needs import Needs
from edgekit.fit.plan import Plan
from edgekit.hardware.machine import Machine


def show_folder(path: Path, machine: Machine, needs: Needs, *, explain: bool, json: bool) -> None:
    """Print whether a folder fits a machine and in which precision; FileError where it is damaged or no model."""
    folder = check_folder(path)
    check_whole(folder)
    found = fit_folder(folder, machine, context=needs.context)
    if json:
        output.json_object(_as_json(found, machine))
    else:
        _show(found, machine, explain=explain)


def _show(found: OnnxPick, machine: Machine, *, explain: bool) -> None:
    output.show(machine_view.summary(machine))
    output.show("")
    size = output.size(found.folder.bytes(found.plan.precision))
    output.show(Text.assemble((found.plan.model.name, "bold"), f"  ONNX {found.plan.precision}, {size}, main memory"))
    colour = "green" if found.fits else "bold red"
    output.show(Text.assemble(("yes  " if found.fits else "no  ", colour), found.reason))
    output.show(Text("Memory: edgekit's formulas on the folder's config and file sizes.", style="dim"))
    if explain:
        output.show("")
        output.show(memory_view.table(found.memory))
    if found.fits:
        output.show("")
        output.show(Text(f"  {_next_command(found)}"), whole_lines=True)


def _next_command(found: OnnxPick) -> str:
    words = ["edgekit", "chat", str(found.plan.model), "--quant", found.plan.precision]
    if found.plan.context != Plan.context:
        words += ["--context", str(found.plan.context)]
    return shlex.join(words)


def _as_json(found: OnnxPick, machine: Machine) -> dict[str, Any]:
    candidate = {
        "architecture": found.folder.config.get("model_type"),
        "quantization": found.plan.precision,
        "file": found.plan.model,
        "bytes": found.folder.bytes(found.plan.precision),
        "context": found.plan.context,
        "placement": "cpu",
        "fits": found.fits,
        "shortfall": max(0, found.shortfall),
        "memory": memory_view.as_json(found.memory, found.limits),
        "reason": found.reason,
        "next_command": _next_command(found) if found.fits else None,
    }
    return {"machine": machine, "recommendation": candidate if found.fits else None, "candidates": [candidate]}
