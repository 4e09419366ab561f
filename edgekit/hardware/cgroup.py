"""Limits of the control groups around this process, versions 1 and 2, every level of nesting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from edgekit.hardware.system_files import number, numbers, text

_MOUNT = "sys/fs/cgroup"


@dataclass(frozen=True)
class MemoryGroup:
    """One level's limit and use in bytes; None for no limit."""

    limit: int | None
    # Without page cache that the kernel would give back at once.
    used: int


def memory_groups(root: Path) -> Iterator[MemoryGroup]:
    """Yield the memory limits from the process's own group up to the root."""
    for folder in _levels(root, "memory"):
        if (folder / "memory.current").is_file():
            used, cache = number(folder / "memory.current"), numbers(folder / "memory.stat").get("inactive_file", 0)
            yield MemoryGroup(number(folder / "memory.max"), max(0, (used or 0) - cache))
        elif (folder / "memory.limit_in_bytes").is_file():
            used = number(folder / "memory.usage_in_bytes")
            cache = numbers(folder / "memory.stat").get("total_inactive_file", 0)
            yield MemoryGroup(number(folder / "memory.limit_in_bytes"), max(0, (used or 0) - cache))


def processor_quota(root: Path) -> float | None:
    """Return how many processors the tightest quota grants, None without one."""
    quotas = [quota for folder in _levels(root, "cpu") if (quota := _quota(folder)) is not None]
    return min(quotas, default=None)


def _quota(folder: Path) -> float | None:
    words = (text(folder / "cpu.max") or "").split()
    if len(words) == 2 and words[0].isdigit():
        return int(words[0]) / int(words[1])
    quota, period = number(folder / "cpu.cfs_quota_us"), number(folder / "cpu.cfs_period_us")
    return quota / period if quota and quota > 0 and period else None


def _levels(root: Path, controller: str) -> Iterator[Path]:
    for line in (text(root / "proc/self/cgroup") or "").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, place = rest.partition(":")
        if controller in controllers.split(","):
            # Controllers that share a hierarchy share its folder ("cpu,cpuacct"), to which `cpu` may be a link.
            mounts = [root / _MOUNT / name for name in (controller, controllers)]
            yield from _upwards(next(filter(Path.is_dir, mounts), mounts[0]), place)
        elif not controllers:
            # Version 2: mounted by itself, or beside version 1 as `unified`.
            mixed = root / _MOUNT / "unified"
            yield from _upwards(mixed if mixed.is_dir() else root / _MOUNT, place)


def _upwards(mount: Path, place: str) -> Iterator[Path]:
    # Inside a container the path may name groups of the host that are not mounted: those levels are skipped.
    path = PurePosixPath(*(part for part in PurePosixPath(place).parts if part not in ("/", "..")))
    for level in (path, *path.parents):
        folder = mount / level
        if folder.is_dir():
            yield folder
