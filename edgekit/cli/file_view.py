"""`edgekit pick --model` on a GGUF file."""

from __future__ import annotations

from pathlib import Path

from edgekit.chat.models import projector_beside
from edgekit.cli import output
from edgekit.cli.judged import Judged, speed_line
from edgekit.cli.pick_json import speed
from edgekit.engine.check import check_context, check_model, check_projector, trained_context
from edgekit.engine.file_fit import fit_file
from edgekit.errors import UnsupportedError
from edgekit.fit.file_pick import FilePick
from edgekit.fit.needs import CONTEXTS, Needs
from edgekit.fit.recognized import modalities
from edgekit.gguf_header import Header
from edgekit.hardware.machine import Machine


def judge_file(model: Path, projector: Path | None, machine: Machine, needs: Needs) -> Judged:
    """Return whether a file fits a machine and with which settings, with the projector beside it as in the chat.

    Raises FileError where it is damaged or no model, UnsupportedError where it cannot take in what is needed.
    """
    header = check_model(model)
    beside = _projector(projector, header, needs)
    if needs.context:
        check_context(header, needs.context)
    found = fit_file(header, beside, machine, _within(needs, header))
    load, settings = found.load, found.settings
    quantization = load.file.quantization if load else None
    facts = {
        "variant": load.variant.name if load else None,
        "architecture": header.text("general.architecture"),
        "file": header.path,
        "bytes": header.bytes,
        "projector": beside.path if beside else None,
        "cache_type": settings.cache_type_k,
        "placement": found.placement,
        "gpu_layers": settings.gpu_layers,
        "repack": settings.repack,
        "decode_tokens_per_second": speed(found.decode),
        "prefill_tokens_per_second": speed(found.prefill),
    }
    return Judged(
        found,
        header.path.name,
        quantization,
        _description(found),
        "edgekit's formulas on the file's header" if load else "llama.cpp's own dry run of the file",
        (str(header.path), *(("--projector", str(projector)) if projector else ())),
        settings.context,
        facts,
        speed_line(found.decode),
    )


def _projector(named: Path | None, header: Header, needs: Needs) -> Header | None:
    path = named or projector_beside(header)
    found = check_projector(path, header) if path else None
    if missing := [kind for kind in needs.modalities if kind not in modalities(found)]:
        alone = f"{path.name} takes no {missing[0]}" if path else "without a projector it takes text only"
        raise UnsupportedError(f"{header.path.name} is not for {missing[0]}: {alone}; name another with --projector")
    return found


def _within(needs: Needs, header: Header) -> Needs:
    """Return the needs with a context for models that were trained for less than the smallest usual one."""
    trained = trained_context(header)
    small = needs.context is None and trained and trained < min(CONTEXTS)
    return Needs(trained, needs.modalities, needs.prefer) if small else needs


def _description(found: FilePick) -> str:
    settings = found.settings
    kind = found.load.file.quantization if found.load else found.header.text("general.architecture")
    where = {"cpu": "main memory", "gpu": "GPU", "partial": f"{settings.gpu_layers} layers on the GPU"}[found.placement]
    parts = [found.load.variant.name] if found.load else []
    parts += [str(kind), output.size(found.header.bytes), where]
    return ", ".join([*parts, f"KV cache {settings.cache_type_k}", *(["repacked"] if settings.repack else [])])
