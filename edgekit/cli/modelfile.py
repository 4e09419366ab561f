"""`edgekit modelfile`: what Ollama needs to know about a GGUF file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli import output


def command(
    model: Annotated[Path, typer.Argument(help="The .gguf file of a Gemma 4.")],
    projector: Annotated[
        Path | None, typer.Option(help="Its mmproj file; found by itself where it lies beside.", metavar="FILE")
    ] = None,
    drafter: Annotated[Path | None, typer.Option(help="The GGUF of its MTP drafter.", metavar="FILE")] = None,
    system: Annotated[str | None, typer.Option(help="What the model should know and how it should answer.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="The file to write; printed to stdout if not given.", metavar="FILE")
    ] = None,
) -> None:
    """Make an Ollama Modelfile for a GGUF, with the prompt format and the parser that Gemma 4 needs."""
    from edgekit.chat.models import projector_beside
    from edgekit.convert.ollama import modelfile_for, read_gemma4, write_modelfile

    header = read_gemma4(model)
    made = modelfile_for(
        header,
        out.parent if out else Path(),
        projector=projector or projector_beside(header),
        drafter=drafter,
        system=system,
    )
    if out is None:
        output.write(made.text())
        return
    write_modelfile(out, made)
    output.hint(f"Next: ollama create NAME -f {out}")
