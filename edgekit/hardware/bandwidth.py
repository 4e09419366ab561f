"""How fast this machine reads main memory: measured once, kept per machine."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from edgekit.hardware.kept import is_busy, keep, machine_key, recall
from edgekit.hardware.machine import Memory, Processor

_NAME = "bandwidth"
# More than any last-level cache of a machine that runs these models.
_BYTES = 512 << 20
_SECONDS = 0.6


def known_bandwidth(processor: Processor, memory: Memory) -> float | None:
    """Return the bandwidth kept for this machine in bytes per second, None before the first measurement."""
    kept = recall(_NAME, machine_key(processor, memory))
    return float(kept) if isinstance(kept, int | float) and kept > 0 else None


def measured_bandwidth(processor: Processor, memory: Memory) -> float:
    """Measure the read bandwidth in bytes per second, about a second, and keep it unless the machine is busy."""
    busy = is_busy()
    bandwidth = _measure(processor.usable_threads, min(_BYTES, memory.available // 8))
    if not busy:
        keep(_NAME, machine_key(processor, memory), bandwidth)
    return bandwidth


def _measure(threads: int, size: int) -> float:
    import numpy as np

    # Written, not just reserved: untouched pages would all be one page of zeros.
    parts = np.array_split(np.ones(size // 8, np.uint64), threads)
    best, deadline = 0.0, time.perf_counter() + _SECONDS
    with ThreadPoolExecutor(threads) as pool:
        while time.perf_counter() < deadline or not best:
            start = time.perf_counter()
            list(pool.map(np.sum, parts))
            best = max(best, size / (time.perf_counter() - start))
    return best
