"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

DrafterOption = Annotated[
    Path | None,
    typer.Option(help="The GGUF of the model's MTP drafter: used where it measures faster.", metavar="FILE"),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Run the model even where it does not fit into memory.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object to stdout and nothing else.")]
