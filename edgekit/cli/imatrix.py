"""`edgekit imatrix`: which columns of a model's weights matter for a person's texts."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli import output
from edgekit.cli.options import JsonOption


def command(
    model: Annotated[str, typer.Argument(help="A .gguf file, best unquantized, a catalog name, or demo.")],
    texts: Annotated[list[Path], typer.Argument(help="Text files like those that the model will meet.")],
    out: Annotated[
        Path | None, typer.Option(help="The file to write; MODEL.imatrix.gguf here by default.", metavar="FILE")
    ] = None,
    context: Annotated[int, typer.Option(min=32, help="Tokens of a piece that is read in one go.")] = 512,
    chunks: Annotated[int | None, typer.Option(min=1, help="Read so many pieces at most.")] = None,
    legacy: Annotated[bool, typer.Option("--legacy", help="The file form of tools before 2025 (.dat).")] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure an importance matrix, which `edgekit convert --imatrix` makes better small files with."""
    from time import monotonic

    from edgekit.chat.models import find_plan
    from edgekit.cli.interrupt import interruptible
    from edgekit.convert.imatrix_writer import check_place, write_imatrix, write_legacy_imatrix
    from edgekit.engine.imatrix import collect, read_text
    from edgekit.engine.native import StoppedError

    start = monotonic()
    contents = [read_text(path) for path in texts]
    with output.progress("Finding the model") as step:
        plan = find_plan(model, media=False, force=True, progress=step)
    path = out or Path(f"{plan.model.stem}.imatrix.{'dat' if legacy else 'gguf'}")
    check_place(path)
    try:
        with output.progress("Reading") as step, interruptible() as stop:
            found, count = collect(plan, contents, chunk=context, limit=chunks, progress=step, stop=stop)
    except StoppedError:
        output.hint("stopped; nothing was written")
        raise typer.Exit(1) from None
    write = write_legacy_imatrix if legacy else write_imatrix
    write(path, found, [str(one) for one in texts], count, context)
    made = {"path": path, "entries": len(found), "chunks": count, "tokens": count * context}
    if as_json:
        output.json_object({**made, "seconds": monotonic() - start})
        return
    output.show(f"{path}: {len(found)} weights, measured on {count * context} tokens")
    output.hint(f"Next: edgekit convert CHECKPOINT --quant IQ2_M --imatrix {shlex.quote(str(path))}")
