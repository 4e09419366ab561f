"""`edgekit inspect`: what a checkpoint, an adapter, a GGUF, an ONNX folder or a Modelfile is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli.options import JsonOption, bundled


def command(
    path: Annotated[
        Path, typer.Argument(help="A checkpoint's, an adapter's or an ONNX folder, a GGUF or a Modelfile.")
    ],
    other: Annotated[
        Path | None,
        typer.Argument(help="A GGUF to compare with; an adapter's base model; the model of a projector."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Show what a model, an adapter or a Modelfile is and what is wrong with it, or how two GGUF files differ."""
    from edgekit.cli import inspect_view, output
    from edgekit.convert.inspection import comparable, compare, inspect, inspect_pair

    path, other = bundled(path), other and bundled(other)
    if other is not None and comparable(path, other):
        with output.progress("Comparing") as step:
            comparison = compare(path, other, step)
        if json:
            output.json_object(comparison)
        else:
            inspect_view.show_comparison(comparison)
        return
    if other is None:
        with output.progress("Reading", in_bytes=True) as step:
            report = inspect(path, step)
    else:
        report = inspect_pair(path, other)
    if json:
        output.json_object(report)
    else:
        inspect_view.show(report)
