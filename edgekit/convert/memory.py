"""How much memory this process has used."""

from __future__ import annotations

import sys


def peak_memory() -> int:
    """Return the process's largest resident size so far, in bytes; 0 where the system does not say."""
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    return peak if sys.platform == "darwin" else peak * 1024
