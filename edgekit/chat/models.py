"""From what a person calls a model to the plan that runs it."""

from __future__ import annotations

import shlex
from dataclasses import replace
from difflib import SequenceMatcher
from pathlib import Path

from edgekit.chat.demo_model import DEMO_NAMES, demo_files
from edgekit.chat.models_here import find_here
from edgekit.convert.progress import Progress, silent
from edgekit.engine.check import (
    check_context,
    check_drafter,
    check_model,
    check_projector,
    embedding_length,
    projected_lengths,
    trained_context,
)
from edgekit.engine.file_fit import fit_file
from edgekit.engine.onnx.folder import is_onnx_folder
from edgekit.errors import DoesNotFitError, EdgekitError, FileError, UnsupportedError
from edgekit.fit.file_pick import FilePick
from edgekit.fit.measured import tuned
from edgekit.fit.needs import Needs
from edgekit.fit.plan import Plan
from edgekit.gguf_header import Header, read_header
from edgekit.hardware.probe import probe
from edgekit.hub.names import kind

# Instead of a drafter's file: the one that lies beside the model.
OWN_DRAFTER = Path("auto")
USUAL_CONTEXT = 8192
# So small a file computes faster on one thread than two can meet after every operation.
_TINY = 64 << 20


def find_plan(
    name: str,
    *,
    projector: Path | None = None,
    drafter: Path | None = None,
    context: int | None = None,
    usual: int = USUAL_CONTEXT,
    media: bool = True,
    force: bool = False,
    progress: Progress = silent,
    as_tuned: bool = True,
) -> Plan:
    """Return the plan for a GGUF file, a catalog name or `demo`; never goes to the network.

    `name` is a path to a GGUF (its projector `mmproj-*.gguf` is found beside it), `VARIANT:QUANTIZATION` as in
    `gemma-4-E2B-it:Q4_0` or `OWNER/NAME:QUANTIZATION` when it lies in the local Hugging Face cache, `demo` for the
    bundled model or `demo:french` for it with its French adapter: both are converted on first use, which `progress`
    reports. A `drafter` is the file of the model's MTP drafter, or `auto` for the one beside it. Without a `context` it
    is the `usual` one, or what the model was trained for if that is less; without `media` a projector is left out. With
    `as_tuned` the settings are those that `edgekit bench --tune` found. Raises FileError or UnsupportedError with what
    to do, NotHereError where only the download is missing, and DoesNotFitError where the machine lacks the memory,
    unless by `force`.
    """
    found: Path | None = None
    if not name.strip():
        raise FileError("name a model: a GGUF file, a name such as gemma-4-E2B-it:Q4_0, or demo")
    if name in DEMO_NAMES:
        model, found = demo_files(name, progress)
    elif not Path(name).exists() and (here := find_here(name)):
        model, found = here
    else:
        model = Path(name)
        if is_onnx_folder(model):
            raise UnsupportedError(f"{name} is a folder of ONNX files: this takes a GGUF file")
        if model.is_dir() and any(model.glob("*.safetensors")):
            command = f"edgekit convert {shlex.quote(name)}"
            raise FileError(f"{name} is a checkpoint: `{command}` makes a GGUF file of it, which runs")
    header, machine = check_model(model), probe()
    context = context or min(usual, trained_context(header) or usual)
    check_context(header, context)
    projector = (projector or found or projector_beside(header)) if media else None
    beside = check_projector(projector, header) if projector else None
    drafter = _own_drafter(header, name) if drafter == OWN_DRAFTER else drafter
    best = fit_file(header, beside, machine, Needs(context), check_drafter(drafter, header) if drafter else None)
    if not (best.fits or force):
        raise DoesNotFitError(_shortage(best))
    plan = replace(best.plan(threads=1 if header.bytes < _TINY else None), drafter=drafter)
    return tuned(plan, header, machine) if as_tuned else plan


def _shortage(best: FilePick) -> str:
    why = best.reason.rstrip(".")
    beside = f" with {best.projector.path.name}" if best.projector else ""
    return (
        f"{best.header.path.name}{beside} does not fit into memory: it {why[0].lower()}{why[1:]}; "
        "close other programs, or run it all the same with --force"
    )


def projector_beside(model: Header) -> Path | None:
    """Return the projector in a model's folder that fits it best: same width of embeddings, then the likest name."""
    width = embedding_length(model)
    fitting = [path for path in sorted(model.path.parent.glob("*mmproj*.gguf")) if _projects_to(path, width)]

    def likeness(path: Path) -> float:
        return SequenceMatcher(None, path.name.replace("mmproj-", ""), model.path.name).ratio()

    return max(fitting, key=likeness, default=None)


def drafter_beside(model: Header) -> Path | None:
    """Return the smallest MTP drafter that fits a model out of its folder and, in the Hub's cache, its repository's."""
    folders = [model.path.parent, *(one for one in model.path.parents if one.parent.name == "snapshots")]
    named = {path for one in folders for path in one.glob("*.gguf") if kind(path.name) == "drafter"}
    return min((path for path in sorted(named) if _drafts_for(path, model)), key=_bytes, default=None)


def _own_drafter(model: Header, name: str) -> Path:
    if found := drafter_beside(model):
        return found
    raise FileError(
        f"no MTP drafter lies beside {model.path.name}: `edgekit pull {name}` brings it where there is one, "
        "or leave out --drafter"
    )


def _bytes(path: Path) -> int:
    return path.stat().st_size


def _drafts_for(path: Path, model: Header) -> bool:
    try:
        return bool(check_drafter(path, model))
    except EdgekitError:
        return False


def _projects_to(path: Path, width: int) -> bool:
    try:
        return projected_lengths(read_header(path)) == {width}
    except FileError:
        return False
