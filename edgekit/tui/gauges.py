"""What the status line measures while a person talks: this process's memory and the processor's heat."""

from __future__ import annotations

from dataclasses import dataclass

import psutil

from edgekit.hardware.vitals import Vitals, read_vitals


@dataclass(frozen=True)
class Gauges:
    """One look at all of them."""

    # Bytes of this process besides pages of files; None where the system does not tell them apart.
    memory: int | None
    vitals: Vitals


def read_gauges() -> Gauges:
    """Look at this process and this machine."""
    info = psutil.Process().memory_info()
    shared = getattr(info, "shared", None)
    return Gauges(None if shared is None else info.rss - shared, read_vitals())
