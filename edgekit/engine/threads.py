"""How many threads to compute with."""

import os


def physical_cores() -> int:
    """Return the physical cores that this process may use: hyper-threads only get in each other's way."""
    import psutil

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(psutil.cpu_count(logical=False) or usable, usable))
