"""`edgekit modelfile`: what Ollama needs to know about a GGUF file."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli import output


def command(
    model: Annotated[Path, typer.Argument(help="A .gguf file, its first part where it is split.")],
    projector: Annotated[
        Path | None, typer.Option(help="Its mmproj file; found by itself where it lies beside.", metavar="FILE")
    ] = None,
    drafter: Annotated[Path | None, typer.Option(help="The GGUF of its MTP drafter.", metavar="FILE")] = None,
    system: Annotated[str | None, typer.Option(help="What the model should know and how it should answer.")] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            help="An Ollama parameter such as num_ctx=8192 or stop=END; may be repeated.", metavar="NAME=VALUE"
        ),
    ] = None,
    no_thinking: Annotated[
        bool, typer.Option("--no-thinking", help="The model never learned to think: Ollama asks for it otherwise.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="The file to write; printed to stdout if not given.", metavar="FILE")
    ] = None,
    create: Annotated[
        str | None, typer.Option(help="Then create a model of this name in the Ollama that runs here.", metavar="NAME")
    ] = None,
) -> None:
    """Make an Ollama Modelfile for a GGUF, with the prompt format and the parser that it needs."""
    from edgekit.chat.models import projector_beside
    from edgekit.cli import ollama_view
    from edgekit.convert.ollama import modelfile_for, read_model, write_modelfile

    if create and out is None:
        raise typer.BadParameter("say with --out where the Modelfile is to lie", param_hint="--create")
    header = read_model(model)
    made = modelfile_for(
        header,
        out.parent if out else Path(),
        projector=projector or projector_beside(header),
        drafter=drafter,
        system=system,
        parameters=[_pair(text) for text in parameter or ()],
        think=not no_thinking,
    )
    text = made.text()
    for warning in made.warnings():
        output.hint(f"{warning}.")
    if out is None:
        output.write(text)
        return
    write_modelfile(out, made)
    if create:
        ollama_view.hand_over(create, made, out, {}, quiet=False)
    else:
        output.hint(f"Next: ollama create NAME -f {shlex.quote(str(out))}")


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise typer.BadParameter(f"{text} has no value: NAME=VALUE", param_hint="--parameter")
    return name.strip(), value
