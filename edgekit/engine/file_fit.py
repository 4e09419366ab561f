"""Whether and how a file runs on a machine: one answer for pick, run, chat and bench."""

from __future__ import annotations

from dataclasses import replace

from edgekit.engine.check import DRAFTERS, trained_context
from edgekit.engine.trial import Files, try_out
from edgekit.errors import UnsupportedError
from edgekit.fit.file_pick import FilePick, pick_by_dry_run, pick_file, ways
from edgekit.fit.needs import Needs
from edgekit.fit.recognized import file_load, modalities
from edgekit.gguf_header import Header
from edgekit.hardware.machine import Machine

# For a file that does not say how long a context it was trained for.
_CONTEXT = 8192


def fit_file(
    header: Header, projector: Header | None, machine: Machine, needs: Needs, drafter: Header | None = None
) -> FilePick:
    """Return how to run a checked file: Gemma 4 by edgekit's formulas, any other by llama.cpp's own dry run.

    Raises UnsupportedError for a drafter and for what llama.cpp cannot run, FileError for what it does not load.
    """
    if header.text("general.architecture") in DRAFTERS:
        raise UnsupportedError(f"{header.path} is a drafter, which only guesses what its model says: name that model")
    needs = replace(needs, modalities=tuple(dict.fromkeys((*needs.modalities, *modalities(projector)))))
    load = file_load(header, projector, drafter)
    if load:
        return pick_file(load, header, projector, machine, needs)
    asked = list(ways(needs, trained_context(header) or _CONTEXT))
    return pick_by_dry_run(header, projector, machine, try_out(Files(header), asked))
