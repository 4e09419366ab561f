"""What `edgekit convert` does with its files once they are written: proof, Ollama, LM Studio."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import typer

from edgekit.cli import output
from edgekit.errors import EdgekitError, UnsupportedError

if TYPE_CHECKING:
    from pathlib import Path

    from edgekit.convert.job import ConvertJob, ConvertResult
    from edgekit.convert.lmstudio import Link
    from edgekit.convert.output import Output


@dataclass
class Afterwards:
    """What is wished for, and what came of it."""

    verify: bool = False
    questions: tuple[str, ...] = ()
    ollama: bool = False
    lmstudio: bool = False
    web: bool = False
    # What came of each wish, for --json, and why one was not fulfilled.
    report: dict[str, object] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def check(self, job: ConvertJob) -> None:
        """Raise where a wish cannot be fulfilled, before anything is written."""
        if self.questions and not self.verify:
            raise typer.BadParameter("a question is asked by --verify: add that", param_hint="--ask")
        if self.ollama and job.to != "gguf":
            raise typer.BadParameter("Ollama gets GGUF files: leave out --to", param_hint="--ollama")
        if self.lmstudio:
            _check_lmstudio(job)
        if self.web:
            _check_web(job)
        if not self.verify:
            return
        if job.to != "gguf":
            raise typer.BadParameter("GGUF files are verified: leave out --to", param_hint="--verify")
        from edgekit.chat.verification.base import check_needs

        needs = check_needs(job)
        output.hint(
            f"Verifying takes {output.size(needs.disk)} more of disk for a while, "
            f"and loads models of up to {output.size(needs.weights)}, one at a time."
        )

    def beside(self, job: ConvertJob) -> tuple[Output, ...]:
        """Return what will be written beside the conversion's own files."""
        if not self.web:
            return ()
        from edgekit.convert.output import Output
        from edgekit.web.page import page_sizes

        return tuple(Output(job.out / name, "page", None, size) for name, size in page_sizes(job.file_name).items())

    def fulfil(self, job: ConvertJob, result: ConvertResult, *, quiet: bool) -> None:
        """Do what is wished for; `quiet` prints no report."""
        try:
            if self.verify:
                self._verify(job, result, quiet=quiet)
            # What is not as it should be stays here.
            if self.ollama and not self.problems:
                self.report["ollama"] = _hand_over(job, result, quiet=quiet)
            if self.lmstudio and not self.problems:
                self.report["lmstudio"] = _link(job, result, quiet=quiet)
            if self.web:
                self.report["web"] = _write_page(job, quiet=quiet)
        except EdgekitError as problem:
            self._failed(str(problem), job)

    def settle(self) -> None:
        """Exit with 1 where something went wrong, each in a line."""
        for problem in self.problems:
            output.error(problem)
        if self.problems:
            raise typer.Exit(1)

    def _verify(self, job: ConvertJob, result: ConvertResult, *, quiet: bool) -> None:
        from edgekit.chat.verification.verify import verify
        from edgekit.cli import verify_view

        with output.progress("Verifying") as step:
            made = verify(job, result, self.questions, step)
        self.report["verification"] = made
        for one in made:
            if not quiet:
                verify_view.show(one)
            if one.problem:
                self._failed(f"{one.file.name}: {one.problem}", job)

    def _failed(self, problem: str, job: ConvertJob) -> None:
        self.problems.append(f"{problem} (the files in {job.out} stay)")


def _hand_over(job: ConvertJob, result: ConvertResult, *, quiet: bool) -> dict[str, object]:
    from edgekit.cli import ollama_view
    from edgekit.convert.ollama import modelfile_for, read_model
    from edgekit.convert.ollama_create import model_name

    files = {output.kind: output.path for output in reversed(result.outputs)}
    if "modelfile" not in files:
        raise UnsupportedError("Ollama runs a drafter only beside its model: edgekit modelfile MODEL.gguf --drafter")
    made = modelfile_for(read_model(files["text"]), files["modelfile"].parent, projector=files.get("projector"))
    digests = {output.path: output.sha256 for output in result.outputs}
    return ollama_view.hand_over(model_name(job.file_name), made, files["modelfile"], digests, quiet=quiet)


def _check_lmstudio(job: ConvertJob) -> None:
    if job.to != "gguf":
        raise typer.BadParameter("LM Studio gets GGUF files: leave out --to", param_hint="--lmstudio")
    from edgekit.convert.lmstudio import models_folder

    models_folder()


def _link(job: ConvertJob, result: ConvertResult, *, quiet: bool) -> list[Link]:
    from edgekit.convert.lmstudio import PUBLISHER, link, models_folder

    files = [output.path for output in result.outputs if output.kind in ("text", "projector")]
    if not files:
        raise UnsupportedError("LM Studio runs no drafter alone: copy it beside its model")
    made = link(files, job.file_name, models_folder())
    if not quiet:
        output.show(f"LM Studio finds it as {PUBLISHER}/{job.file_name}:")
        for one in made:
            output.show(f"  {one.path} ({one.how})")
    return made


def _check_web(job: ConvertJob) -> None:
    if job.to != "onnx":
        raise typer.BadParameter("browsers take ONNX graphs: add --to onnx", param_hint="--web")
    from edgekit.web.page import check_place

    check_place(job.out)


def _write_page(job: ConvertJob, *, quiet: bool) -> list[Path]:
    from edgekit.web.page import write_page

    written = write_page(job.out, job.file_name)
    if not quiet:
        output.hint(f"The page is {written[-1]}. Next: edgekit run --web {shlex.quote(str(job.out))}")
    return written
