"""Where a machine's facts are read: its files and, where it has none for them, what its system answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.hardware.nvml import NvidiaDevice

Registry = Mapping[str, Mapping[str, "str | int | bytes"]]


@dataclass(frozen=True)
class Counts:
    """What psutil counts: sizes in bytes."""

    memory_total: int
    memory_available: int
    swap_total: int
    swap_free: int
    physical_cores: int
    logical_cores: int


@dataclass(frozen=True)
class Host:
    """One machine to read; tests put another's files and answers here."""

    # /proc, /sys and /etc lie under it.
    root: Path
    # As platform.system() and platform.machine() say: "Linux", "Darwin", "Windows"; "x86_64", "aarch64", "arm64".
    system: str = "Linux"
    architecture: str = "x86_64"
    name: str = ""
    # Bits of a pointer in this process: 32 where an old userland runs on a 64-bit kernel.
    bits: int = 64
    # Logical processors that the scheduler allows; None for all.
    affinity: int | None = None
    # Free bytes where models go.
    disk_free: int | None = None
    counts: Callable[[], Counts | None] = lambda: None
    # macOS: `sysctl NAMES`.
    sysctl: Callable[[], Mapping[str, str]] = dict
    # Android: `getprop`.
    properties: Callable[[], Mapping[str, str]] = dict
    # Windows: keys below HKEY_LOCAL_MACHINE, each with its values.
    registry: Callable[[], Registry] = dict
    # Windows: the numbers for which IsProcessorFeaturePresent says yes.
    windows_features: Callable[[], frozenset[int]] = frozenset
    # Windows: what GetSystemCpuSetInformation writes.
    cpu_sets: Callable[[], bytes] = bytes
    nvidia: Callable[[], Sequence[NvidiaDevice]] = tuple
