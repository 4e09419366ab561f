"""Options that several commands share."""

from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import typer

from edgekit import paths


def _precision(name: str | None) -> str | None:
    """Return a precision as folders spell it; whether a folder has it is asked later."""
    if name is None:
        return None
    from edgekit.engine.onnx.folder import SUFFIXES

    if name.lower() not in SUFFIXES:
        raise typer.BadParameter(f"{name} is no precision of an ONNX graph: choose {', '.join(SUFFIXES)}")
    return name.lower()


DrafterOption = Annotated[
    Path | None,
    typer.Option(
        help="The GGUF of the model's MTP drafter, or auto for the one beside it: used where it measures faster.",
        metavar="FILE|auto",
    ),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Run the model even where it does not fit into memory.")]
QuantOption = Annotated[
    str | None,
    typer.Option(
        help="Of a folder of ONNX files: fp32, fp16, int8, q8, q4 or q4f16; the best that fits if left out.",
        callback=_precision,
    ),
]
ProviderOption = Annotated[
    str | None,
    typer.Option(help="What computes a folder of ONNX files, as the installed onnxruntime has it: cpu, cuda, dml ..."),
]
OnnxAdapterOption = Annotated[
    Path | None,
    typer.Option("--adapter", help="Of a folder of ONNX files: switch this .onnx_adapter on.", metavar="FILE"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object to stdout and nothing else.")]


def refuse_beside(invoked: typer.Context, option: str, meaningful: Collection[str]) -> None:
    """Raise what names an option or argument of a command line that has no meaning beside an option of it.

    `meaningful` are the names of the parameters that have one.
    """
    for parameter in invoked.command.params:
        name = parameter.name or ""
        source = invoked.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE" and name not in meaningful:
            hint = parameter.opts[0] if parameter.opts[0].startswith("-") else name.upper()
            raise typer.BadParameter(f"it has no meaning with {option}: leave it out", param_hint=hint)


_BUNDLED = {"demo": paths.demo_checkpoint(), "demo:french": paths.demo_adapter()}


def bundled(folder: Path) -> Path:
    """Return the bundled checkpoint or adapter where a folder is called as they are in chat and run."""
    return folder if folder.exists() else _BUNDLED.get(str(folder), folder)
