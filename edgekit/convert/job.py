"""A conversion: what is asked for and what comes out."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edgekit.catalog.recipe import Choices
from edgekit.convert.adapter import Adapters, LedgerEntry
from edgekit.convert.checkpoint import Checkpoint
from edgekit.convert.disk import check_room
from edgekit.convert.folder import named
from edgekit.convert.gguf_conversion import GgufConversion
from edgekit.convert.memory import DEFAULT_BUDGET, CallersMemory, budget, peak_memory
from edgekit.convert.merged_checkpoint import MergedCheckpoint
from edgekit.convert.output import Output
from edgekit.convert.preflight import Announce, Preflight, expected_seconds, tell_nobody
from edgekit.convert.progress import Progress as Progress
from edgekit.convert.progress import silent
from edgekit.errors import UnsupportedError
from edgekit.installation import command_for

if TYPE_CHECKING:
    from edgekit.convert.onnx.conversion import OnnxConversion


@dataclass(frozen=True)
class ConvertJob:
    """What to convert, and into what."""

    checkpoint: Path
    out: Path
    adapters: tuple[Path, ...] = ()
    quantizations: tuple[str, ...] = ("Q8_0",)
    # The projector's quantization; auto is the checkpoint's own 16-bit or 32-bit type, none writes no projector.
    projector: str = "auto"
    # What the files are called; the folders of checkpoint and adapters if not given.
    name: str | None = None
    # The types that a person chose for tensors of the model; the projector's are its quantization's.
    choices: Choices = field(default_factory=Choices)
    # What its columns matter, for quantizations that make use of it.
    imatrix: Path | None = None
    to: Literal["gguf", "safetensors", "onnx"] = "gguf"
    # How much of each adapter; 1 if not given.
    adapter_weights: tuple[float, ...] = ()
    # Whether keys of adapters that fit nowhere are left out.
    allow_unmerged: bool = False
    # The anonymous memory that may be used, in bytes.
    memory: int = DEFAULT_BUDGET
    # The bytes of tensors that one file of the model may have; the projector is never in parts, nobody reads those.
    split_size: int | None = None
    # Whether adapters stay in files of their own; ONNX graphs take one of them for each run.
    keep_adapter: bool = False
    # What is written there afterwards, by somebody else: there must be room for it, too.
    beside: tuple[Output, ...] = ()

    @property
    def file_name(self) -> str:
        """What the files are called, before quantization and ending."""
        if self.name is not None:
            return _file_name(self.name)
        return "-".join(named(folder).name for folder in (self.checkpoint, *self.adapters))


@dataclass(frozen=True)
class ConvertResult:
    """What a conversion wrote and what became of every key of every adapter."""

    outputs: list[Output]
    # What was said before the first byte was written.
    preflight: Preflight
    ledger: list[LedgerEntry] = field(default_factory=list)
    # Wall time.
    seconds: float = 0.0
    # The largest resident size of the process so far, in bytes.
    peak_memory: int = 0
    # What the files will lack, each in a sentence.
    warnings: list[str] = field(default_factory=list)


def convert(
    job: ConvertJob, progress: Progress = silent, *, dry_run: bool = False, announce: Announce = tell_nobody
) -> ConvertResult:
    """Convert a checkpoint and its adapters in one pass; a dry run checks everything and writes nothing.

    `announce` hears what it will take, before anything is written, `progress` the bytes read and the bytes to read.
    Raises FileError, AdapterError and UnsupportedError for what cannot be converted, DoesNotFitError where the disk or
    the memory is too small; then no file is left behind.
    """
    start = time.monotonic()
    caller = CallersMemory.before()
    with Checkpoint(job.checkpoint) as checkpoint, _adapters(job) as adapters:
        conversion = _open(job, checkpoint, adapters)
        plan = conversion.plan()
        disk = sum(output.bytes for output in (*plan, *job.beside))
        free = check_room(job.out, disk)
        tasks = conversion.tasks(conversion.merging.uncounted())
        limit = budget(job.memory, tasks, conversion.merging.kept, caller)
        seconds = expected_seconds(tasks, limit.room)
        checked = Preflight(limit.expected, disk, free, conversion.tensors, seconds)
        announce(checked)
        outputs = plan if dry_run else conversion.run(progress, limit.room)
        return ConvertResult(
            outputs,
            checked,
            conversion.merging.ledger(),
            time.monotonic() - start,
            peak_memory(),
            conversion.warnings,
        )


def _open(
    job: ConvertJob, checkpoint: Checkpoint, adapters: Adapters
) -> GgufConversion | MergedCheckpoint | OnnxConversion:
    if job.to == "gguf":
        return GgufConversion(job, checkpoint, adapters)
    if job.to == "safetensors":
        return MergedCheckpoint(job.out, checkpoint, adapters)
    try:
        # Large, and not on every machine.
        from edgekit.convert.onnx.conversion import OnnxConversion
    except ModuleNotFoundError as problem:
        if problem.name != "onnx":
            raise
        raise UnsupportedError(f"ONNX graphs need the onnx package: `{command_for('onnx')}` brings it") from problem
    return OnnxConversion(
        job.out, checkpoint, adapters, job.quantizations, job.projector, keep_adapter=job.keep_adapter
    )


def _adapters(job: ConvertJob) -> Adapters:
    return Adapters(job.adapters, job.adapter_weights, allow_unmerged=job.allow_unmerged)


def _file_name(name: str) -> str:
    # Files whose names start with a dot are hidden, and nobody would find them.
    if not name or name != Path(name).name or name.startswith("."):
        raise UnsupportedError(
            f"{name!r} is no name for a file: give one without a leading dot, and the folder with --out"
        )
    return name
