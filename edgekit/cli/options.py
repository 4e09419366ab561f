"""Options that several commands share."""

from typing import Annotated

import typer

ForceOption = Annotated[bool, typer.Option("--force", help="Run the model even where it does not fit into memory.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object to stdout and nothing else.")]
