"""What converted files are compared with, and what that takes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.catalog.recipe import Choices
from edgekit.convert.checkpoint import Checkpoint
from edgekit.convert.disk import check_room
from edgekit.convert.job import ConvertJob, convert
from edgekit.convert.output import Output
from edgekit.errors import DoesNotFitError, UnsupportedError
from edgekit.fit.needs import Needs
from edgekit.fit.placement import best_candidate
from edgekit.fit.plan import Plan
from edgekit.fit.recognized import file_load
from edgekit.gguf_header import read_header
from edgekit.gguf_parts import read_parts
from edgekit.hardware.probe import probe

_GIB = 1 << 30


@dataclass(frozen=True)
class VerifyNeeds:
    """What a verification takes beside the conversion itself, in bytes."""

    # For as long as it runs.
    disk: int
    # The weights of the largest model that is loaded; one is at a time.
    weights: int


def base_of(job: ConvertJob, out: Path) -> ConvertJob:
    """Return the conversion of what a job's files are compared with.

    The checkpoint without the adapters at the same quantizations; where there are none, the checkpoint in its own type.
    """
    base = replace(job, out=out, name="base", adapters=(), adapter_weights=())
    if job.adapters:
        return base
    projector = "none" if job.projector == "none" else "auto"
    own = (_type_of(job.checkpoint),)
    return replace(base, quantizations=own, projector=projector, choices=Choices(), imatrix=None)


def check_needs(job: ConvertJob) -> VerifyNeeds:
    """Return what verifying a job will take.

    Raises UnsupportedError where nothing can be asked, DoesNotFitError where the disk is too small.
    """
    files, base = convert(job, dry_run=True).outputs, convert(base_of(job, job.out), dry_run=True).outputs
    if not any(file.kind == "text" for file in files):
        raise UnsupportedError("a drafter only guesses what its model says and answers nothing: leave out --verify")
    extra = sum(file.bytes for file in base)
    check_room(job.out, sum(file.bytes for file in files) + extra)
    return VerifyNeeds(extra, max(_loaded(files), _loaded(base)))


def check_memory(plan: Plan) -> None:
    """Raise DoesNotFitError where a file, as it would be loaded, needs more memory than there is."""
    load = file_load(read_parts(plan.model), read_header(plan.projector) if plan.projector else None)
    # Of other architectures edgekit has no formula.
    if load is None:
        return
    best = best_candidate(load, probe(), Needs(plan.context, load.modalities))
    if not best.fits:
        raise DoesNotFitError(
            f"{plan.model.name} cannot be verified: loading it lacks {best.shortfall / _GIB:.1f} GiB of memory; "
            "close other programs, verify on a larger machine or leave out --verify"
        )


def _loaded(files: list[Output]) -> int:
    # A model may be in parts.
    models: Counter[str | None] = Counter()
    for file in files:
        if file.kind == "text":
            models[file.quantization] += file.bytes
    return max(models.values(), default=0) + sum(file.bytes for file in files if file.kind == "projector")


def _type_of(directory: Path) -> str:
    with Checkpoint(directory) as checkpoint:
        return next((weight.dtype for weight in checkpoint.weights.values() if len(weight.shape) >= 2), "BF16")
