"""The processor: its model, cores and the instruction sets that llama.cpp uses."""

from __future__ import annotations

import math
import os
import platform
from pathlib import Path

from edgekit.hardware.cgroup import processor_quota
from edgekit.hardware.machine import Processor
from edgekit.hardware.system_files import text

# Linux's name of a flag: llama.cpp's.
_FEATURES = {
    "avx": "avx",
    "avx2": "avx2",
    "f16c": "f16c",
    "fma": "fma",
    "avx_vnni": "avx_vnni",
    "avx512f": "avx512",
    "avx512_vnni": "avx512_vnni",
    "avx512_bf16": "avx512_bf16",
    "amx_int8": "amx_int8",
    "asimd": "neon",
    "asimddp": "dotprod",
    "i8mm": "i8mm",
    "bf16": "bf16",
    "sve": "sve",
    "sve2": "sve2",
    "v": "rvv",
}

# Arm's part numbers of the boards that edgekit has profiles for (Linux has no model name there).
_ARM_PARTS = {"0xd03": "Cortex-A53", "0xd08": "Cortex-A72", "0xd0b": "Cortex-A76", "0xd42": "Cortex-A78AE"}


def read_processor(root: Path = Path("/"), affinity: int | None = None) -> Processor:
    """Return the processor; `affinity` is the number of logical processors that the scheduler allows."""
    entries = _entries(root)
    if not entries:
        return _elsewhere()
    logical = len(entries)
    first = entries[0]
    features = {_FEATURES[word] for word in _flags(first) if word in _FEATURES}
    usable = min(logical, affinity or logical, math.ceil(processor_quota(root) or logical))
    return Processor(
        model=first.get("model name") or _ARM_PARTS.get(first.get("CPU part", ""), "unknown"),
        architecture=_architecture(first),
        physical_cores=_cores(entries),
        usable_threads=max(1, usable),
        features=tuple(sorted(features)),
    )


def live_affinity() -> int | None:
    """Return how many logical processors this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def _entries(root: Path) -> list[dict[str, str]]:
    blocks = (text(root / "proc/cpuinfo") or "").split("\n\n")
    found = [dict(_pair(line) for line in block.splitlines() if ":" in line) for block in blocks]
    return [entry for entry in found if "processor" in entry]


def _pair(line: str) -> tuple[str, str]:
    key, _, value = line.partition(":")
    return key.strip(), value.strip()


def _flags(entry: dict[str, str]) -> list[str]:
    return (entry.get("flags") or entry.get("Features") or "").split()


def _architecture(entry: dict[str, str]) -> str:
    if "CPU part" in entry:
        return "aarch64"
    return "x86_64" if "flags" in entry else platform.machine()


def _cores(entries: list[dict[str, str]]) -> int:
    cores = {(entry.get("physical id"), entry["core id"]) for entry in entries if "core id" in entry}
    return len(cores) or len(entries)


def _elsewhere() -> Processor:
    import psutil

    logical = psutil.cpu_count() or 1
    machine = platform.machine()
    # Every Apple processor that runs a current macOS has these.
    features = ("dotprod", "neon") if machine == "arm64" else ()
    return Processor(
        platform.processor() or machine, machine, psutil.cpu_count(logical=False) or logical, logical, features
    )
