"""`edgekit convert`: a checkpoint and its adapters to files that run."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli import output
from edgekit.cli.options import JsonOption


class Format(str, Enum):
    """What a checkpoint can become."""

    gguf = "gguf"
    safetensors = "safetensors"


def command(
    checkpoint: Annotated[Path, typer.Argument(help="The folder of a Gemma 4 checkpoint: config.json, safetensors.")],
    adapter: Annotated[
        list[Path] | None,
        typer.Option(help="The folder of a PEFT LoRA adapter to merge; may be repeated.", metavar="DIR"),
    ] = None,
    to: Annotated[
        Format, typer.Option("--to", help="GGUF files, or the merged checkpoint itself as safetensors.")
    ] = Format.gguf,
    quant: Annotated[
        list[str] | None,
        typer.Option(help="F32, BF16, F16, Q8_0 or Q4_0; may be repeated; Q8_0 by default.", metavar="Q"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The folder to write to; NAME-GGUF or NAME here by default.", metavar="DIR")
    ] = None,
    projector: Annotated[
        str, typer.Option(help="Eyes and ears: auto, none, F32, BF16, F16 or Q8_0.", metavar="Q")
    ] = "auto",
    name: Annotated[str | None, typer.Option(help="What to call the files and the model.", metavar="NAME")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, show the sizes, write nothing.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Turn a fine-tune into GGUF files with a Modelfile, or merge it, in one pass and little memory."""
    from dataclasses import replace

    from edgekit.cli import convert_view
    from edgekit.cli.interrupt import orderly_termination
    from edgekit.convert.job import ConvertJob, convert

    _check_quantizations(quant or [], projector)
    if to == Format.safetensors and (quant or projector != "auto"):
        raise typer.BadParameter(
            "a merged checkpoint keeps its types: leave out --quant and --projector", param_hint="--to"
        )
    job = ConvertJob(
        checkpoint, out or Path(), tuple(adapter or ()), tuple(quant or ("Q8_0",)), projector, name, to.value
    )
    if out is None:
        # The Hub's own convention for a repository of GGUF files.
        ending = "-GGUF" if to == Format.gguf else ""
        job = replace(job, out=Path(f"{job.file_name}{ending}"))
    with orderly_termination(), output.progress("Converting") as step:
        result = convert(job, step, dry_run=dry_run)
    for warning in result.warnings:
        output.hint(warning)
    if json:
        output.json_object(result)
    else:
        convert_view.show(result, dry_run=dry_run)


def _check_quantizations(asked: list[str], projector: str) -> None:
    from edgekit.convert.mixture import PROJECTOR_QUANTIZATIONS, check_quantization
    from edgekit.errors import UnsupportedError

    option = "--quant"
    try:
        for name in asked:
            check_quantization(name)
        option = "--projector"
        if projector not in ("auto", "none"):
            check_quantization(projector, PROJECTOR_QUANTIZATIONS)
    except UnsupportedError as problem:
        raise typer.BadParameter(str(problem), param_hint=option) from problem
