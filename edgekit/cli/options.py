"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from edgekit import paths

DrafterOption = Annotated[
    Path | None,
    typer.Option(help="The GGUF of the model's MTP drafter: used where it measures faster.", metavar="FILE"),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Run the model even where it does not fit into memory.")]
QuantOption = Annotated[
    str | None,
    typer.Option(help="Of a folder of ONNX files: fp32, fp16, int8, q4 or q4f16; the best that fits if left out."),
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

_BUNDLED = {"demo": paths.demo_checkpoint(), "demo:french": paths.demo_adapter()}


def bundled(folder: Path) -> Path:
    """Return the bundled checkpoint or adapter where a folder is called as they are in chat and run."""
    return folder if folder.exists() else _BUNDLED.get(str(folder), folder)
