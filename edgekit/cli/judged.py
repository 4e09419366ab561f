"""`edgekit pick --model`: whether one model fits here, and how to run it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.text import Text

from edgekit.cli import machine_view, memory_view, output
from edgekit.fit.plan import Plan
from edgekit.fit.speed import Speed
from edgekit.hardware.machine import Machine

if TYPE_CHECKING:
    from edgekit.chat.onnx_fit import OnnxPick
    from edgekit.fit.file_pick import FilePick


@dataclass(frozen=True)
class Judged:
    """A file or a folder with how it would run here."""

    found: FilePick | OnnxPick
    name: str
    # None where it is not known.
    quantization: str | None
    # Size, quantization and where it would run, for people.
    description: str
    # What the memory was reckoned from.
    basis: str
    # The words after `edgekit chat` that choose the model.
    arguments: tuple[str, ...]
    context: int
    # What JSON says beside what it says of every model.
    facts: dict[str, Any]
    speed: str = ""

    @property
    def next_command(self) -> str:
        """Return the command that talks with the model."""
        context = () if self.context == Plan.context else ("--context", str(self.context))
        return shlex.join(["edgekit", "chat", *self.arguments, *context])


def speed_line(decode: Speed | None) -> str:
    """Return how fast a model writes, for people; empty where it is not known."""
    return f"{decode.low:.0f} to {decode.high:.0f} tokens/s: {decode.basis}." if decode else ""


def show(judged: Judged, machine: Machine, *, explain: bool) -> None:
    """Print what a model takes on a machine; `explain` adds the memory line by line."""
    found = judged.found
    output.show(machine_view.summary(machine))
    output.show("")
    output.show(Text.assemble((judged.name, "bold"), f"  {judged.description}"))
    colour = "green" if found.fits else "bold red"
    output.show(Text.assemble(("yes  " if found.fits else "no  ", colour), found.reason))
    if judged.speed:
        output.show(Text(judged.speed, style="dim"))
    output.show(Text(f"Memory: {judged.basis}.", style="dim"))
    if explain:
        output.show("")
        output.show(memory_view.table(found.memory))
    if found.fits:
        output.show("")
        output.show(Text(f"  {judged.next_command}"), whole_lines=True)


def as_json(judged: Judged, machine: Machine) -> dict[str, Any]:
    """Return what `edgekit pick --model --json` prints: docs/pick-json.md."""
    found = judged.found
    candidate = {
        **judged.facts,
        "quantization": judged.quantization,
        "context": judged.context,
        "fits": found.fits,
        "shortfall": max(0, found.shortfall),
        "memory": {**memory_view.as_json(found.memory, found.limits), "basis": judged.basis},
        "reason": found.reason,
        "next_command": judged.next_command if found.fits else None,
    }
    return {"machine": machine, "recommendation": candidate if found.fits else None, "candidates": [candidate]}
