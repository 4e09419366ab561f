"""Main memory and the container limits on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgekit.hardware.cgroup import memory_groups
from edgekit.hardware.machine import Memory
from edgekit.hardware.system_files import numbers


def read_memory(root: Path = Path("/")) -> Memory:
    """Return main memory in bytes with the tightest container limit applied; `root` lets tests read other machines."""
    memory = _linux(root) if (root / "proc/meminfo").is_file() else _elsewhere()
    for group in memory_groups(root):
        # A limit above what the machine has is how version 1 says that there is none.
        if group.limit is None or group.limit >= memory.total:
            continue
        room = max(0, group.limit - group.used)
        tightest = min(group.limit, memory.limit or group.limit)
        memory = replace(memory, limit=tightest, available=min(memory.available, room))
    return replace(memory, total=min(memory.total, memory.limit or memory.total))


def _linux(root: Path) -> Memory:
    entries = {key.rstrip(":"): count * 1024 for key, count in numbers(root / "proc/meminfo").items()}
    return Memory(
        total=entries["MemTotal"],
        # Kernels before 3.14 lack it.
        available=entries.get("MemAvailable", entries["MemFree"] + entries.get("Cached", 0)),
        swap_total=entries.get("SwapTotal", 0),
        swap_free=entries.get("SwapFree", 0),
    )


def _elsewhere() -> Memory:
    import psutil

    main, swap = psutil.virtual_memory(), psutil.swap_memory()
    return Memory(main.total, main.available, swap_total=swap.total, swap_free=swap.free)
