"""Main memory, swap, and the container limits on them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgekit.errors import UnsupportedError
from edgekit.hardware.cgroup import memory_groups
from edgekit.hardware.host import Host
from edgekit.hardware.machine import Memory
from edgekit.hardware.system_files import numbers, text


def read_memory(host: Host) -> Memory:
    """Return main memory in bytes with the tightest container limit applied."""
    memory = _linux(host.root) if (host.root / "proc/meminfo").is_file() else _counted(host)
    # A limit above what the machine has is how version 1 says that there is none.
    groups = [(one.limit, one.used) for one in memory_groups(host.root) if one.limit is not None]
    binding = [(limit, used) for limit, used in groups if limit < memory.total]
    if not binding:
        return memory
    tightest = min(limit for limit, _ in binding)
    room = min(max(0, limit - used) for limit, used in binding)
    return replace(memory, total=tightest, limit=tightest, available=min(memory.available, room))


def host_memory(host: Host) -> int | None:
    """Return the bytes of main memory whatever a container may use of it, None where Linux does not tell."""
    count = numbers(host.root / "proc/meminfo").get("MemTotal:")
    return count * 1024 if count else None


def _linux(root: Path) -> Memory:
    entries = {key.rstrip(":"): count * 1024 for key, count in numbers(root / "proc/meminfo").items()}
    zram_total, zram_used = zram(root)
    zram_free = zram_total - zram_used
    return Memory(
        total=entries["MemTotal"],
        # Kernels before 3.14 lack it.
        available=entries.get("MemAvailable", entries.get("MemFree", 0) + entries.get("Cached", 0)),
        swap_total=max(0, entries.get("SwapTotal", 0) - zram_total),
        swap_free=max(0, entries.get("SwapFree", 0) - zram_free),
        zram_total=zram_total,
        zram_free=zram_free,
    )


def zram(root: Path) -> tuple[int, int]:
    """Return the bytes of swap that lie compressed in memory, and how many of them are in use."""
    areas = [area for area in swap_areas(root) if area[0].startswith("/dev/zram")]
    return sum(total for _, total, _ in areas), sum(used for _, _, used in areas)


def swap_areas(root: Path) -> list[tuple[str, int, int]]:
    """Return each swap area's file or device with its size and use in bytes."""
    rows = [line.split() for line in (text(root / "proc/swaps") or "").splitlines()[1:]]
    return [(row[0], int(row[2]) * 1024, int(row[3]) * 1024) for row in rows if len(row) >= 4]


def _counted(host: Host) -> Memory:
    counts = host.counts()
    if counts is None:
        raise UnsupportedError("this system tells nothing about its memory: describe it in a profile (`--profile`)")
    return Memory(counts.memory_total, counts.memory_available, None, counts.swap_total, counts.swap_free)
