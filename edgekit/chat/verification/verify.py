"""Reload converted files in llama.cpp and compare what they find likely with what their base does."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.chat.models import find_plan
from edgekit.chat.verification.answers import Answer, answers
from edgekit.chat.verification.base import base_of, check_memory
from edgekit.chat.verification.divergence import Divergence, divergence, together
from edgekit.chat.verification.reference import NotAskedError, Reference
from edgekit.convert.job import ConvertJob, ConvertResult, convert
from edgekit.convert.output import Output, models
from edgekit.convert.progress import Progress
from edgekit.convert.scratch import scratch_folder
from edgekit.fit.plan import Plan

# Room for a question, a picture and an answer.
_CONTEXT = 1024
# Less than this is rounding: two runs of the same weights on a graphics card may differ by it.
_NOTHING = 1e-8


@dataclass(frozen=True)
class Compared:
    """One question to the base and to the converted file."""

    question: str
    # The picture or the sound that it is about.
    media: str | None
    divergence: Divergence
    before: str
    after: str


@dataclass(frozen=True)
class PeftCompared:
    """The file, and its base, against peft's merge as transformers computes it, in float32."""

    computed_by: str
    file: Divergence
    base: Divergence
    # Of the base's file from the checkpoint as transformers computes it: what quantization and arithmetic cost.
    unmerged: Divergence

    @property
    def is_wrong(self) -> bool:
        """Return whether the file is further from the merge than the base is, quantization's own noise aside."""
        file, base, noise = self.file.mean, self.base.mean, self.unmerged.mean
        return None not in (file, base, noise) and (file or 0.0) > max(base or 0.0, 2 * (noise or 0.0))


@dataclass(frozen=True)
class Verification:
    """What came out for one converted file."""

    file: Path
    quantization: str
    # What it is compared with, in words.
    against: str
    questions: list[Compared]
    all: Divergence
    peft: PeftCompared | None
    # Why it is not compared with peft's merge.
    note: str | None
    # Why the file is not what it should be.
    problem: str | None
    seconds: float


def verify(job: ConvertJob, result: ConvertResult, asked: Sequence[str], progress: Progress) -> list[Verification]:
    """Compare every text model of a conversion with its base, which is made and thrown away.

    The base is the checkpoint without adapters at the same quantization, or without adapters at all the checkpoint in
    its own type. Raises EdgekitError where a file does not load or does not fit into memory.
    """
    files = models(result.outputs)
    projector = next((output.path for output in result.outputs if output.kind == "projector"), None)
    merged = any(entry.status == "merged" for entry in result.ledger)
    plans = [_plan(file.path, projector) for file in files]
    for plan in plans:
        check_memory(plan)
    with scratch_folder(job.out) as scratch:
        # In a folder of its own: a conversion locks what it writes into.
        base = convert(base_of(job, scratch / "base"), progress)
        run = _Run(job, asked, scratch, progress, merged=merged)
        return [run.compare(file, plan, base) for file, plan in zip(files, plans, strict=True)]


def _plan(model: Path, projector: Path | None) -> Plan:
    # Whether it fits is said beforehand, with what is left out then (`check_memory`).
    plan = find_plan(str(model), projector=projector, force=True)
    # Beside it may lie the projector of an earlier conversion.
    return replace(plan, projector=projector, context=min(plan.context, _CONTEXT))


class _Run:
    """Questions to several files of one conversion, all led along the same answers."""

    def __init__(
        self, job: ConvertJob, asked: Sequence[str], scratch: Path, progress: Progress, *, merged: bool
    ) -> None:
        self._job, self._asked, self._scratch, self._progress = job, asked, scratch, progress
        self._merged = merged
        self._paths: list[tuple[int, ...]] | None = None
        self._reference: Reference | None = None
        self._note: str | None = None

    def compare(self, file: Output, plan: Plan, base: ConvertResult) -> Verification:
        start = time.monotonic()
        before = self._ask(_base_plan(plan, file, base))
        if self._paths is None:
            self._paths = [answer.path for answer in before]
            self._ask_reference(before)
        after = self._ask(plan)
        compared = [_compared(one, two) for one, two in zip(before, after, strict=True)]
        over_all = together([one.divergence for one in compared])
        peft = self._against_peft(before, after)
        return Verification(
            file.path,
            file.quantization or "",
            self._against(base),
            compared,
            over_all,
            peft,
            self._note,
            self._problem(over_all, peft),
            time.monotonic() - start,
        )

    def _ask(self, plan: Plan) -> list[Answer]:
        check_memory(plan)
        return answers(plan, self._asked, self._paths, self._progress)

    def _against(self, base: ConvertResult) -> str:
        if not self._job.adapters:
            return f"the checkpoint at {base.outputs[0].quantization}"
        return f"its base without the {'adapter' if len(self._job.adapters) == 1 else 'adapters'}"

    def _ask_reference(self, before: list[Answer]) -> None:
        try:
            self._reference = Reference(self._job, before, self._scratch)
        except NotAskedError as problem:
            self._note = str(problem)

    def _against_peft(self, before: list[Answer], after: list[Answer]) -> PeftCompared | None:
        reference = self._reference
        if reference is None:
            return None
        rows_before = [before[number].log_probabilities for number in reference.numbers]
        rows_after = [after[number].log_probabilities for number in reference.numbers]
        return PeftCompared(
            "peft's merge in transformers" if self._job.adapters else "transformers",
            together(list(map(divergence, reference.merged, rows_after))),
            together(list(map(divergence, reference.merged, rows_before))),
            together(list(map(divergence, reference.base, rows_before))),
        )

    def _problem(self, over_all: Divergence, peft: PeftCompared | None) -> str | None:
        if over_all.largest is None:
            return "its logits are no numbers (NaN or infinity): the weights or an adapter overflow; try F32 or BF16"
        if self._job.adapters and self._merged and over_all.largest < _NOTHING:
            return (
                "the adapter changed nothing: every next token is as likely as without it; it may be untrained, "
                "of another base, or too small for this quantization"
            )
        if peft and self._merged and peft.is_wrong:
            return "it is further from peft's own merge than the base without the adapter is: please report this"
        return None


def _base_plan(plan: Plan, file: Output, base: ConvertResult) -> Plan:
    texts = models(base.outputs)
    model = next((one for one in texts if one.quantization == file.quantization), texts[0])
    eyes = next((output.path for output in base.outputs if output.kind == "projector"), None)
    return replace(plan, model=model.path, projector=eyes)


def _compared(before: Answer, after: Answer) -> Compared:
    media = before.question.media
    return Compared(
        before.question.text,
        media.path.name if media else None,
        divergence(before.log_probabilities, after.log_probabilities),
        before.text,
        after.text,
    )
