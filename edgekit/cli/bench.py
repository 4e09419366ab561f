"""`edgekit bench`: how fast a model really runs here, and the settings with which it runs fastest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli.completion import names_here
from edgekit.cli.options import ForceOption, JsonOption, ProviderOption, QuantOption, refuse_beside

# What says something where settings are tried, and of a folder of ONNX files, which has none to be tried.
_OF_TUNING = ("model", "tune", "seconds", "force", "json")
_OF_A_FOLDER = ("model", "quant", "provider", "context", "depth", "repetitions", "force", "json")


def command(
    invoked: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            help="A .gguf file, an ONNX folder, a name such as gemma-4-E2B-it:Q4_0, or demo.", autocompletion=names_here
        ),
    ],
    tune: Annotated[
        bool, typer.Option("--tune", help="Find the best threads, batch and repack, for chat to use.")
    ] = False,
    seconds: Annotated[float, typer.Option(min=1, help="How long --tune may search.", metavar="N")] = 300,
    context: Annotated[int | None, typer.Option(min=1, help="Tokens of context to time in.", metavar="N")] = None,
    depth: Annotated[
        list[int] | None,
        typer.Option(min=0, help="Tokens read before the timing; may be repeated; 0 and 4096 by default.", metavar="N"),
    ] = None,
    repetitions: Annotated[int, typer.Option(min=1, help="How often each test is repeated.", metavar="N")] = 3,
    quant: QuantOption = None,
    provider: ProviderOption = None,
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Time how fast a model reads and writes on this machine, and keep it for pick.

    Beside it stands what llama.cpp, or onnxruntime for a folder of ONNX files, comes to alone.
    """
    from edgekit.chat.run_options import RunOptions
    from edgekit.engine.onnx.folder import is_onnx_folder

    if is_onnx_folder(Path(model)):
        refuse_beside(invoked, "a folder of ONNX files", _OF_A_FOLDER)
    if tune:
        refuse_beside(invoked, "--tune", _OF_TUNING)
    from edgekit.chat.measuring import time_model, tune_model
    from edgekit.cli import bench_view, output
    from edgekit.cli.interrupt import interruptible
    from edgekit.engine.bench import Work
    from edgekit.engine.native import StoppedError
    from edgekit.hardware.kept import is_busy

    busy = is_busy()
    try:
        with interruptible() as stop, output.progress("Tuning" if tune else "Timing") as step:
            if tune:
                found, kept = tune_model(model, seconds, step, stop, force=force)
            else:
                depths = tuple(sorted(set(depth))) if depth else Work.depths
                options = RunOptions(context=context, precision=quant, provider=provider, force=force)
                timed = time_model(model, Work(depths, repetitions=repetitions), options, step, stop)
    except StoppedError:
        output.hint("stopped; nothing was kept")
        raise typer.Exit(1) from None
    if tune:
        bench_view.show_tuning(found, kept, json=json)
    else:
        bench_view.show_timed(timed, json=json)
    if busy:
        output.hint("Other programs were computing when this began: alone, the model may be faster.")
