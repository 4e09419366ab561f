"""What to tell somebody who has only the bundled model."""

from __future__ import annotations

from edgekit.fit.needs import Needs
from edgekit.fit.next_commands import next_commands
from edgekit.fit.picker import pick
from edgekit.hardware.probe import probe


def advice() -> tuple[str, ...]:
    """Return a sentence that names the model for this machine, and the commands that get it; nothing if none fits."""
    chosen = pick(probe(), Needs()).recommendation
    if chosen is None or not chosen.fits:
        return ()
    sentence = f"This machine suits {chosen.name} (`edgekit pick` says why). To get it and talk to it:"
    return (sentence, *next_commands(chosen))
