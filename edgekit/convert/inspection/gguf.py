"""A GGUF file, by its header."""

from __future__ import annotations

import math
from pathlib import Path

from gguf import Keys, LlamaFileType

from edgekit.convert.inspection.report import Kind, Report, groups, variant_name
from edgekit.engine.check import DRAFTERS, check_model, embedding_length, projected_lengths, trained_context
from edgekit.engine.problems import problems, template_revision
from edgekit.errors import FileError
from edgekit.gguf_header import Header, read_header
from edgekit.gguf_parts import read_parts
from edgekit.hardware.problem import Problem


def inspect_gguf(path: Path, partner: Path | None = None) -> Report:
    """Describe a GGUF; `partner` is the model of a projector, or the other way round.

    Raises FileError for a damaged one.
    """
    header = read_parts(path)
    kind = _kind(header)
    other = read_header(partner) if partner else None
    found = problems(header, other if kind == "projector" else None)
    if kind == "text":
        found += [*_damage(path), *(_of_projector(other, header) if other else _beside(header))]
    architecture = header.text(Keys.General.ARCHITECTURE)
    widths = projected_lengths(header) if kind == "projector" else {embedding_length(header)}
    tensors = [(t.name, t.type.name, math.prod(t.shape), t.bytes) for t in header.tensors.values()]
    return Report(
        path=path,
        kind=kind,
        bytes=header.bytes,
        architecture=architecture,
        variant=variant_name(next(iter(widths), None), header.keys.get(f"{architecture}.block_count")),
        name=header.text(Keys.General.NAME),
        parameters=sum(count for _, _, count, _ in tensors),
        quantization=_quantization(header),
        context=trained_context(header) or None,
        template=template_revision(header.text(Keys.Tokenizer.CHAT_TEMPLATE)) if kind == "text" else None,
        base=header.text("edgekit.base"),
        adapters=[str(name) for name in header.array("edgekit.adapters")],
        tensors=groups(tensors),
        details=_details(header),
        problems=found,
    )


def _kind(header: Header) -> Kind:
    architecture, type = header.text(Keys.General.ARCHITECTURE), header.text(Keys.General.TYPE)
    if architecture == "clip":
        return "projector"
    if type == "imatrix":
        return "imatrix"
    return "drafter" if architecture in DRAFTERS else "text"


def _quantization(header: Header) -> str | None:
    number = header.keys.get(Keys.General.FILE_TYPE)
    names = {int(one): one.name.removeprefix("MOSTLY_").removeprefix("ALL_") for one in LlamaFileType}
    return names.get(number) if isinstance(number, int) else None


def _details(header: Header) -> dict[str, str]:
    made = {"GGUF version": str(header.version), "metadata keys": str(len(header.keys))}
    if version := header.text("edgekit.version"):
        made["written by"] = f"edgekit {version}"
    towers = [name for name in ("vision", "audio") if header.keys.get(f"clip.has_{name}_encoder")]
    if towers:
        made["towers"] = ", ".join(towers)
    return made


def _damage(path: Path) -> list[Problem]:
    try:
        check_model(path)
    except FileError as problem:
        return [Problem("damaged", str(problem))]
    return []


def _of_projector(projector: Header, model: Header) -> list[Problem]:
    return [Problem(one.name, f"{projector.path.name}: {one.text}") for one in problems(projector, model)]


def _beside(model: Header) -> list[Problem]:
    """Look at the projectors in the model's folder: that none fits is noticed only when a picture is shown."""
    beside = [path for path in sorted(model.path.parent.glob("*mmproj*.gguf")) if path != model.path]
    try:
        found = [problems(read_header(path), model) for path in beside]
    except FileError as problem:
        return [Problem("damaged_projector", str(problem))]
    foreign = [one for listed in found for one in listed if one.name == "projector_of_another_model"]
    if not beside or len(foreign) < len(beside):
        return []
    return [Problem(foreign[0].name, f"{beside[0].name} beside it: {foreign[0].text}")]
