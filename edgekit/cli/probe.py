"""`edgekit probe`: what this machine is."""

from __future__ import annotations

from typing import Annotated

import typer

from edgekit.cli.options import JsonOption


def command(
    measure: Annotated[bool, typer.Option(help="Measure the memory bandwidth, once per machine.")] = True,
    json: JsonOption = False,
) -> None:
    """Show what this machine has: memory, processor, accelerators, and what llama.cpp can use."""
    from edgekit.cli import output
    from edgekit.hardware.probe import probe

    machine = probe(measure=measure)
    if json:
        output.json_object(machine)
        return
    from edgekit.cli import machine_view

    output.show(machine_view.table(machine))
    for note in machine.notes:
        output.hint(note)
