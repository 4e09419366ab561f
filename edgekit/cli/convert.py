"""`edgekit convert`: a checkpoint and its adapters to files that run."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli import output
from edgekit.cli.options import JsonOption, bundled


class Format(str, Enum):
    """What a checkpoint can become."""

    gguf = "gguf"
    safetensors = "safetensors"
    onnx = "onnx"


# How the folder of a whole repository is called on the Hub.
_ENDINGS = {Format.gguf: "-GGUF", Format.safetensors: "", Format.onnx: "-ONNX"}


def command(
    checkpoint: Annotated[Path, typer.Argument(help="The folder of a Gemma 4 checkpoint; demo is the bundled one.")],
    adapter: Annotated[
        list[str] | None,
        typer.Option(
            help="The folder of a PEFT LoRA adapter to merge, or DIR=0.5 for half of it; demo:french is a bundled one; "
            "may be repeated.",
            metavar="DIR",
        ),
    ] = None,
    allow_unmerged: Annotated[
        bool, typer.Option("--allow-unmerged", help="Leave out what fits nowhere of an adapter, and list it.")
    ] = False,
    keep_adapter: Annotated[
        bool, typer.Option("--keep-adapter", help="With ONNX: do not merge, write the adapter apart as .onnx_adapter.")
    ] = False,
    to: Annotated[
        Format, typer.Option("--to", help="GGUF files, ONNX graphs, or the merged checkpoint itself as safetensors.")
    ] = Format.gguf,
    quant: Annotated[
        list[str] | None,
        typer.Option(
            help="As llama-quantize names them: Q8_0 (the default), Q4_K_M, IQ2_M, F16, ...; "
            "for ONNX q4 (the default), q4f16, int8, fp16, fp32; may be repeated.",
            metavar="Q",
        ),
    ] = None,
    imatrix: Annotated[
        Path | None,
        typer.Option(help="An importance matrix; the smallest quantizations need one.", metavar="FILE"),
    ] = None,
    tensor_type: Annotated[
        list[str] | None,
        typer.Option(
            help="A type for the tensors whose names a pattern is found in; may be repeated.", metavar="PATTERN=TYPE"
        ),
    ] = None,
    token_embedding_type: Annotated[
        str | None, typer.Option(help="A type for the token embeddings.", metavar="TYPE")
    ] = None,
    output_tensor_type: Annotated[
        str | None, typer.Option(help="A type for the output matrix.", metavar="TYPE")
    ] = None,
    pure: Annotated[bool, typer.Option("--pure", help="Every tensor in the same type, no mixture.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="The folder to write to; NAME-GGUF, NAME-ONNX or NAME here by default.", metavar="DIR"),
    ] = None,
    projector: Annotated[
        str, typer.Option(help="Eyes and ears: auto, none, F32, BF16, F16 or Q8_0.", metavar="Q")
    ] = "auto",
    name: Annotated[str | None, typer.Option(help="What to call the files and the model.", metavar="NAME")] = None,
    memory: Annotated[
        str | None, typer.Option(help="The memory that it may use: 1G, 512M, 2GiB; 1G by default.", metavar="SIZE")
    ] = None,
    split_size: Annotated[
        str | None, typer.Option(help="Several files of at most so many bytes: 2G, 500M.", metavar="SIZE")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Then run the files beside their base: what did the adapter change?")
    ] = False,
    ask: Annotated[
        list[str] | None,
        typer.Option(help="A question for --verify instead of edgekit's own; may be repeated.", metavar="TEXT"),
    ] = None,
    ollama: Annotated[
        bool, typer.Option("--ollama", help="Then create the model in the Ollama that runs here, under its --name.")
    ] = False,
    lmstudio: Annotated[
        bool, typer.Option("--lmstudio", help="Then link the files into the folder where LM Studio looks for models.")
    ] = False,
    web: Annotated[
        bool, typer.Option("--web", help="Then write a page beside the ONNX graphs that chats in a browser.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, show the sizes, write nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: JsonOption = False,
) -> None:
    """Turn a fine-tune into GGUF files with a Modelfile or ONNX graphs, or merge it, in one pass and little memory."""
    from dataclasses import replace

    from edgekit.catalog.recipe import Choices
    from edgekit.cli import convert_options, convert_view
    from edgekit.cli.convert_after import Afterwards
    from edgekit.cli.convert_progress import ConvertProgress
    from edgekit.cli.interrupt import orderly_termination
    from edgekit.convert.job import ConvertJob, convert
    from edgekit.convert.preflight import tell_nobody

    checkpoint = bundled(checkpoint)
    chosen = convert_options.choices(tensor_type or (), token_embedding_type, output_tensor_type, pure)
    if keep_adapter and (to != Format.onnx or not adapter):
        raise typer.BadParameter("only ONNX keeps an adapter: add --to onnx and --adapter", param_hint="--keep-adapter")
    if to == Format.onnx and (projector not in ("auto", "none") or imatrix or split_size or chosen != Choices()):
        raise typer.BadParameter(
            "ONNX graphs have their own types and parts: leave out --split-size and what chooses types",
            param_hint="--to",
        )
    if to == Format.safetensors and (quant or projector != "auto" or imatrix or split_size or chosen != Choices()):
        raise typer.BadParameter(
            "a merged checkpoint keeps its types: leave out --quant, --projector, --split-size and what chooses types",
            param_hint="--to",
        )
    convert_options.check_projector(projector)
    adapters, weights = convert_options.adapters(adapter or ())
    job = ConvertJob(
        checkpoint,
        out or Path(),
        adapters,
        (),
        projector,
        name,
        chosen,
        imatrix,
        to.value,
        weights,
        allow_unmerged,
        keep_adapter=keep_adapter,
    )
    if to == Format.gguf:
        job = replace(job, quantizations=convert_options.quantizations(quant or (), checkpoint, adapters, yes=yes))
    if to == Format.onnx:
        job = replace(job, quantizations=convert_options.precisions(quant or ()))
    if out is None:
        job = replace(job, out=Path(f"{job.file_name}{_ENDINGS[to]}"))
    if split_size is not None:
        job = replace(job, split_size=convert_options.size(split_size, "--split-size"))
    if memory is not None:
        job = replace(job, memory=convert_options.size(memory, "--memory"))
    after = Afterwards(verify, tuple(ask or ()), ollama, lmstudio, web)
    after.check(job)
    job = replace(job, beside=after.beside(job))
    with orderly_termination(), output.progress("Converting", in_bytes=True) as step:
        shown = ConvertProgress(step)
        result = convert(job, shown.advance, dry_run=dry_run, announce=tell_nobody if dry_run else shown.announce)
    for warning in result.warnings:
        output.hint(warning)
    if not json:
        convert_view.show(result, job.beside, dry_run=dry_run)
    if not dry_run:
        with orderly_termination():
            after.fulfil(job, result, quiet=json)
    if json:
        output.json_object({**vars(result), **after.report})
    after.settle()
