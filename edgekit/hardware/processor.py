"""The processor: its model, cores and the instruction sets that llama.cpp uses."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from edgekit.hardware import instructions
from edgekit.hardware.arm import arm_model
from edgekit.hardware.cgroup import processor_quota
from edgekit.hardware.host import Host
from edgekit.hardware.machine import Processor
from edgekit.hardware.system_files import number, ranges, text
from edgekit.hardware.windows import efficiency_cores

# What platform.machine() says elsewhere: Linux's name.
_ARCHITECTURES = {"AMD64": "x86_64", "ARM64": "aarch64", "arm64": "aarch64"}


def read_processor(host: Host) -> Processor:
    """Return the processor, with affinity and container quota applied to its threads."""
    if entries := _entries(host.root):
        return _linux(host, entries)
    if host.system == "Darwin":
        return _apple(host)
    return _windows(host) if host.system == "Windows" else _counted(host)


def architecture(host: Host) -> str:
    """Return the processor's architecture by Linux's name, whatever system runs: "x86_64" or "aarch64"."""
    return _ARCHITECTURES.get(host.architecture, host.architecture)


def _linux(host: Host, entries: list[dict[str, str]]) -> Processor:
    logical, first = len(entries), entries[0]
    usable = min(logical, host.affinity or logical, math.ceil(processor_quota(host.root) or logical))
    return Processor(
        model=arm_model(entries) or first.get("model name") or "unknown",
        architecture=_architecture(host, first),
        physical_cores=_cores(entries),
        usable_threads=max(1, usable),
        features=instructions.of_linux(_flags(first)),
        efficiency_cores=_efficiency_cores(host.root, logical),
    )


def _entries(root: Path) -> list[dict[str, str]]:
    blocks = (text(root / "proc/cpuinfo") or "").split("\n\n")
    found = [dict(_pair(line) for line in block.splitlines() if ":" in line) for block in blocks]
    return [entry for entry in found if "processor" in entry]


def _pair(line: str) -> tuple[str, str]:
    key, _, value = line.partition(":")
    return key.strip(), value.strip()


def _flags(entry: dict[str, str]) -> list[str]:
    if isa := entry.get("isa"):
        # RISC-V: a letter each, "rv64imafdcv_zba_zbb".
        return list(isa.partition("_")[0].removeprefix("rv64"))
    return (entry.get("flags") or entry.get("Features") or "").split()


def _architecture(host: Host, entry: dict[str, str]) -> str:
    if "CPU part" in entry:
        return "aarch64" if "asimd" in _flags(entry) else "armv7l"
    return "x86_64" if "flags" in entry else architecture(host)


def _cores(entries: list[dict[str, str]]) -> int:
    cores = {(entry.get("physical id"), entry["core id"]) for entry in entries if "core id" in entry}
    return len(cores) or len(entries)


def _efficiency_cores(root: Path, logical: int) -> int:
    """Return the small cores; none has hyper-threads."""
    if atoms := text(root / "sys/devices/cpu_atom/cpus"):
        return len(ranges(atoms))
    folder = root / "sys/devices/system/cpu"
    capacities = [number(folder / f"cpu{index}/cpu_capacity") or 0 for index in range(logical)]
    # Arm's middle cores have 0.7 and more of the capacity of the largest, its small ones a third.
    return sum(1 for capacity in capacities if 0 < 2 * capacity < max(capacities))


def _apple(host: Host) -> Processor:
    told = host.sysctl()
    logical = int(told.get("hw.logicalcpu") or told.get("hw.ncpu") or 1)
    return Processor(
        model=told.get("machdep.cpu.brand_string") or "unknown",
        architecture=architecture(host),
        physical_cores=int(told.get("hw.physicalcpu") or logical),
        usable_threads=logical,
        features=instructions.of_macos(told, architecture(host)),
        efficiency_cores=int(told.get("hw.perflevel1.physicalcpu") or 0),
    )


def _windows(host: Host) -> Processor:
    keys = (values for path, values in host.registry().items() if "CentralProcessor" in path)
    model = next((str(values["ProcessorNameString"]).strip() for values in keys if "ProcessorNameString" in values), "")
    found = _counted(host)
    features = instructions.of_windows(host.windows_features(), found.architecture)
    small = efficiency_cores(host.cpu_sets())
    return replace(found, model=model or found.model, features=features, efficiency_cores=small)


def _counted(host: Host) -> Processor:
    counts = host.counts()
    physical, logical = (counts.physical_cores, counts.logical_cores) if counts else (1, 1)
    return Processor("unknown", architecture(host), physical, min(logical, host.affinity or logical))
