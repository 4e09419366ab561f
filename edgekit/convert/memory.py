"""How much memory this process has used."""

from __future__ import annotations

import sys
from pathlib import Path


def peak_memory() -> int:
    """Return the process's largest resident size so far, in bytes; 0 where the system does not say."""
    try:
        # Linux counts a parent's pages into what getrusage reports of its child; this counts the process alone.
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return _from_getrusage()


def _from_getrusage() -> int:
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # macOS counts in bytes, others in KiB.
    return peak if sys.platform == "darwin" else peak * 1024
