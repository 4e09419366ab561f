"""`edgekit pick --model`: what one file on disk takes here, and how to run it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from rich.text import Text

from edgekit.cli import machine_view, memory_view, output
from edgekit.cli.pick_json import speed
from edgekit.engine.check import check_context, check_model, check_projector, trained_context
from edgekit.engine.file_fit import fit_file
from edgekit.fit.file_pick import FilePick
from edgekit.fit.needs import CONTEXTS, Needs
from edgekit.fit.plan import Plan
from edgekit.gguf_header import Header
from edgekit.hardware.machine import Machine


def show_file(
    model: Path, projector: Path | None, machine: Machine, needs: Needs, *, explain: bool, json: bool
) -> None:
    """Print whether a file fits a machine and with which settings; FileError where it is damaged or no model."""
    header = check_model(model)
    beside = check_projector(projector, header) if projector else None
    if needs.context:
        check_context(header, needs.context)
    found = fit_file(header, beside, machine, _within(needs, header))
    if json:
        output.json_object(_as_json(found, machine))
    else:
        _show(found, machine, explain=explain)


def _within(needs: Needs, header: Header) -> Needs:
    """Return the needs with a context for models that were trained for less than the smallest usual one."""
    trained = trained_context(header)
    small = needs.context is None and trained and trained < min(CONTEXTS)
    return Needs(trained, needs.modalities, needs.prefer) if small else needs


def _show(found: FilePick, machine: Machine, *, explain: bool) -> None:
    output.show(machine_view.summary(machine))
    output.show("")
    output.show(Text.assemble((found.header.path.name, "bold"), f"  {_description(found)}"))
    colour = "green" if found.fits else "bold red"
    output.show(Text.assemble(("yes  " if found.fits else "no  ", colour), found.reason))
    if found.decode:
        low, high = found.decode.low, found.decode.high
        output.show(Text(f"{low:.0f} to {high:.0f} tokens/s: {found.decode.basis}.", style="dim"))
    output.show(Text(f"Memory: {_basis(found)}.", style="dim"))
    if explain:
        output.show("")
        output.show(memory_view.table(found.memory))
    if found.fits:
        output.show("")
        output.show(Text(f"  {_next_command(found)}"), whole_lines=True)


def _description(found: FilePick) -> str:
    settings = found.settings
    kind = found.load.file.quantization if found.load else found.header.text("general.architecture")
    where = {"cpu": "main memory", "gpu": "GPU", "partial": f"{settings.gpu_layers} layers on the GPU"}[found.placement]
    parts = [found.load.variant.name] if found.load else []
    parts += [str(kind), output.size(found.header.bytes), where]
    return ", ".join([*parts, f"KV cache {settings.cache_type_k}", *(["repacked"] if settings.repack else [])])


def _basis(found: FilePick) -> str:
    return "edgekit's formulas on the file's header" if found.load else "llama.cpp's own dry run of the file"


def _next_command(found: FilePick) -> str:
    words = ["edgekit", "chat", str(found.header.path)]
    if found.projector:
        words += ["--projector", str(found.projector.path)]
    if found.settings.context != Plan.context:
        words += ["--context", str(found.settings.context)]
    return shlex.join(words)


def _as_json(found: FilePick, machine: Machine) -> dict[str, Any]:
    load, settings = found.load, found.settings
    candidate = {
        "variant": load.variant.name if load else None,
        "architecture": found.header.text("general.architecture"),
        "quantization": load.file.quantization if load else None,
        "file": found.header.path,
        "bytes": found.header.bytes,
        "projector": found.projector.path if found.projector else None,
        "context": settings.context,
        "cache_type": settings.cache_type_k,
        "placement": found.placement,
        "gpu_layers": settings.gpu_layers,
        "repack": settings.repack,
        "fits": found.fits,
        "shortfall": max(0, found.shortfall),
        "memory": {**memory_view.as_json(found.memory, found.limits), "basis": _basis(found)},
        "decode_tokens_per_second": speed(found.decode),
        "prefill_tokens_per_second": speed(found.prefill),
        "reason": found.reason,
        "next_command": _next_command(found) if found.fits else None,
    }
    return {"machine": machine, "recommendation": candidate if found.fits else None, "candidates": [candidate]}
