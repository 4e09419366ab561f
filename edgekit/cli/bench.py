"""`edgekit bench`: how fast a model really runs here, and the settings with which it runs fastest."""

from __future__ import annotations

from typing import Annotated

import typer

from edgekit.cli.completion import names_here
from edgekit.cli.options import ForceOption, JsonOption


def command(
    model: Annotated[
        str,
        typer.Argument(help="A .gguf file, a name such as gemma-4-E2B-it:Q4_0, or demo.", autocompletion=names_here),
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
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Time how fast a model reads and writes on this machine, beside llama.cpp alone, and keep it for pick."""
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
                timed = time_model(model, Work(depths, repetitions=repetitions), context, step, stop, force=force)
    except StoppedError:
        output.hint("stopped; nothing was kept")
        raise typer.Exit(1) from None
    if tune:
        bench_view.show_tuning(found, kept, json=json)
    else:
        bench_view.show_timed(timed, json=json)
    if busy:
        output.hint("Other programs were computing when this began: alone, the model may be faster.")
