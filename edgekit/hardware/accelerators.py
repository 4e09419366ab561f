"""GPUs: NVIDIA through NVML, AMD and Intel through sysfs, Apple and Jetson as unified memory, Windows's registry."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from edgekit.hardware.backends import BACKENDS, install_command
from edgekit.hardware.board import is_jetson
from edgekit.hardware.host import Host
from edgekit.hardware.machine import Accelerator, Memory
from edgekit.hardware.nvml import NvidiaDevice
from edgekit.hardware.pci import cards, has_card
from edgekit.hardware.processor import architecture
from edgekit.hardware.system_files import text
from edgekit.hardware.windows import display_adapters

_MIB = 1 << 20
# Metal's recommended working set: two thirds of memory up to 36 GB, three quarters above.
_METAL_STEP = 36_000_000_000


def read_accelerators(host: Host, memory: Memory, backends: frozenset[str]) -> tuple[Accelerator, ...]:
    """Return the accelerators; `backends` are those of the installed llama.cpp build."""
    # A Jetson's GPU may also show through NVML, with memory that is not its own.
    nvidia = _jetson(host, memory) or _nvidia(host, memory)
    # On Windows NVML and the registry tell of the same NVIDIA cards.
    others = [one for one in display_adapters(host, memory) if not (nvidia and one.vendor == "nvidia")]
    found = [*nvidia, *cards(host, memory), *others, *_apple(host, memory)]
    if not any(one.vendor == "nvidia" for one in found) and has_card(host, "nvidia"):
        # The card is there, NVIDIA's driver is not: llama.cpp cannot use it and its memory is not known.
        found.append(Accelerator("NVIDIA GPU without NVIDIA's driver", "nvidia", 0, 0))
    return tuple(_with_build(one, host, backends) for one in found)


def _with_build(one: Accelerator, host: Host, backends: frozenset[str]) -> Accelerator:
    if BACKENDS[one.vendor] & backends:
        return replace(one, usable=True)
    return replace(one, install=install_command(one.vendor, host.system, architecture(host)))


def _nvidia(host: Host, memory: Memory) -> list[Accelerator]:
    if devices := host.nvidia():
        return [_told(one, memory) for one in devices]
    found = sorted((host.root / "proc/driver/nvidia/gpus").glob("*/information"))
    names = (re.search(r"^Model:\s*(.+)$", text(path) or "", re.MULTILINE) for path in found)
    # The driver's files do not tell the memory: nothing is promised for it.
    return [Accelerator(name.group(1) if name else "NVIDIA GPU", "nvidia", 0, 0) for name in names]


def _told(device: NvidiaDevice, memory: Memory) -> Accelerator:
    if not device.memory_total:
        # Where NVML knows no memory of the GPU's own (Grace, Thor) it uses the machine's.
        return Accelerator(device.name, "nvidia", memory.total, memory.available, shares_memory=True)
    bandwidth = device.memory_bandwidth
    return Accelerator(device.name, "nvidia", device.memory_total, device.memory_free, memory_bandwidth=bandwidth)


def _jetson(host: Host, memory: Memory) -> list[Accelerator]:
    if not is_jetson(host):
        return []
    return [Accelerator("NVIDIA Tegra", "nvidia", memory.total, memory.available, shares_memory=True)]


def _apple(host: Host, memory: Memory) -> Iterator[Accelerator]:
    if host.system != "Darwin" or architecture(host) != "aarch64":
        return
    told = host.sysctl()
    share = memory.total * 3 // 4 if memory.total > _METAL_STEP else memory.total * 2 // 3
    # What a person set with `sudo sysctl iogpu.wired_limit_mb=N`; zero is the system's own share.
    share = min(int(told.get("iogpu.wired_limit_mb") or 0) * _MIB, memory.total) or share
    name = f"{told.get('machdep.cpu.brand_string') or 'Apple'} GPU"
    yield Accelerator(name, "apple", share, min(share, memory.available), shares_memory=True)
