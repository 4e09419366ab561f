"""How fast this machine reads main memory: measured once, kept per machine."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from edgekit import paths
from edgekit.hardware.machine import Memory, Processor

# More than any last-level cache of a machine that runs these models.
_BYTES = 512 << 20
_SECONDS = 0.6


def known_bandwidth(processor: Processor, memory: Memory) -> float | None:
    """Return the bandwidth kept for this machine in bytes per second, None before the first measurement."""
    try:
        kept = json.loads(_file().read_text(encoding="utf-8"))
        return float(kept[_key(processor, memory)])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def measured_bandwidth(processor: Processor, memory: Memory) -> float:
    """Measure the read bandwidth in bytes per second, about a second, and keep it."""
    bandwidth = _measure(processor.usable_threads, min(_BYTES, memory.available // 8))
    try:
        _keep(_key(processor, memory), bandwidth)
    except OSError:
        # A read-only home only means measuring again next time.
        return bandwidth
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


def _keep(key: str, bandwidth: float) -> None:
    file = _file()
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_suffix(f".{os.getpid()}")
    beside.write_text(json.dumps({key: bandwidth}), encoding="utf-8")
    beside.replace(file)


def _file() -> Path:
    return paths.cache_directory() / "bandwidth.json"


def _key(processor: Processor, memory: Memory) -> str:
    return f"{processor.model}, {processor.usable_threads} threads, {memory.total} bytes"
