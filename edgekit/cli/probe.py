"""`edgekit probe`: what this machine is."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from edgekit.cli.options import JsonOption


def command(
    measure: Annotated[bool, typer.Option(help="Measure the memory bandwidth, once per machine.")] = True,
    json: JsonOption = False,
) -> None:
    """Show what this machine has: memory, processor, accelerators, and what llama.cpp can use."""
    from edgekit.cli import output
    from edgekit.hardware.build import backend_devices
    from edgekit.hardware.probe import probe

    machine = replace(probe(measure=measure), backend_devices=backend_devices())
    if json:
        output.json_object(machine)
        return
    from edgekit.cli import machine_view

    output.show(machine_view.table(machine))
    for note in machine.notes:
        output.hint(note)
