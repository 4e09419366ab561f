"""The commands that get a chosen model and talk to it."""

from __future__ import annotations

from dataclasses import replace

from edgekit.fit.candidate import Candidate
from edgekit.fit.needs import Needs
from edgekit.fit.placement import best_candidate
from edgekit.fit.plan import Plan
from edgekit.hardware.machine import Machine


def next_commands(chosen: Candidate, machine: Machine) -> list[str]:
    """Return the command that downloads a candidate's files, then the one that opens the chat."""
    context = "" if chosen.settings.context == Plan.context else f" --context {chosen.settings.context}"
    projector = projector_to_pull(chosen, machine)
    option = f" --projector {projector}" if projector else ""
    return [f"edgekit pull {chosen.name}{option}", f"edgekit chat {chosen.name}{context}"]


def projector_to_pull(chosen: Candidate, machine: Machine) -> str:
    """Return which projector to download with a candidate: `none` where it would not fit, nothing for the usual one."""
    load = chosen.load
    usual = next(iter(load.variant.projectors), None)
    if load.projector or not usual:
        return load.projector.quantization if load.projector and load.projector != usual else ""
    # The chat loads a projector that is there: where text alone fits, it must not be there.
    modalities = ("text", "image")
    seeing = replace(load, projector=usual, modalities=modalities)
    needs = Needs(chosen.settings.context, modalities)
    return "" if best_candidate(seeing, machine, needs).fits else "none"
