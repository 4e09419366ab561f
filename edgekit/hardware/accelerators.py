"""GPUs: NVIDIA through NVML or its driver's files, AMD and Intel through sysfs, Apple and Jetson as unified memory."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from edgekit.hardware.backends import BACKENDS
from edgekit.hardware.board import read_board
from edgekit.hardware.machine import Accelerator, Memory
from edgekit.hardware.system_files import number, text

_GIB = 1 << 30
_VENDORS = {"0x1002": "amd", "0x8086": "intel", "0x10de": "nvidia"}
# Metal's recommended working set: two thirds of memory up to 36 GB, three quarters above.
_METAL_STEP = 36_000_000_000


def read_accelerators(memory: Memory, backends: frozenset[str], root: Path = Path("/")) -> tuple[Accelerator, ...]:
    """Return the accelerators; `backends` are those of the installed llama.cpp build."""
    # A Jetson's GPU also shows through NVML, with memory that is not its own.
    found = [*(_jetson(root, memory) or _nvidia(root)), *_sysfs(root, memory), *_apple(root, memory)]
    if not any(one.vendor == "nvidia" for one in found):
        found += _undriven(root)
    return tuple(replace(one, usable=bool(BACKENDS[one.vendor] & backends)) for one in found)


def _nvidia(root: Path) -> Iterator[Accelerator]:
    live = list(_nvml()) if root == Path("/") else []
    if live:
        yield from live
        return
    for path in sorted((root / "proc/driver/nvidia/gpus").glob("*/information")):
        name = re.search(r"^Model:\s*(.+)$", text(path) or "", re.MULTILINE)
        # The driver's files do not tell the memory: nothing is promised for it.
        yield Accelerator(name.group(1) if name else "NVIDIA GPU", "nvidia", 0, 0)


def _nvml() -> Iterator[Accelerator]:
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:
        # Not installed, no driver, or a driver of another version: the driver's files are read instead.
        return
    for index in range(pynvml.nvmlDeviceGetCount()):
        device = pynvml.nvmlDeviceGetHandleByIndex(index)
        memory = pynvml.nvmlDeviceGetMemoryInfo(device)
        clock = pynvml.nvmlDeviceGetMaxClockInfo(device, pynvml.NVML_CLOCK_MEM)
        width = pynvml.nvmlDeviceGetMemoryBusWidth(device)
        name = pynvml.nvmlDeviceGetName(device)
        # Megahertz, twice per clock, bits.
        bandwidth = clock * 1e6 * 2 * width / 8
        yield Accelerator(name, "nvidia", memory.total, memory.free, memory_bandwidth=bandwidth or None)


def _sysfs(root: Path, memory: Memory) -> Iterator[Accelerator]:
    for device in _cards(root):
        if _vendor(device) == "amd":
            yield _amd(device, memory)
        elif _vendor(device) == "intel":
            # No file tells an integrated GPU's share; its drivers lend it up to half of main memory.
            yield Accelerator("Intel graphics", "intel", memory.total // 2, memory.available // 2, shares_memory=True)


def _cards(root: Path) -> list[Path]:
    # Connectors (card0-HDMI-A-1) point to their card's device again.
    found = (root / "sys/class/drm").glob("card[0-9]*/device")
    return sorted(device for device in found if "-" not in device.parent.name)


def _vendor(device: Path) -> str | None:
    return _VENDORS.get(text(device / "vendor") or "")


def _amd(device: Path, memory: Memory) -> Accelerator:
    total = number(device / "mem_info_vram_total") or 0
    used = number(device / "mem_info_vram_used") or 0
    borrowed = number(device / "mem_info_gtt_total") or 0
    name = text(device / "product_name") or "AMD GPU"
    if total <= 4 * _GIB and borrowed > total:
        # An APU: a small carved-out part, the rest borrowed from main memory.
        return Accelerator(name, "amd", borrowed, min(borrowed, memory.available), shares_memory=True)
    return Accelerator(name, "amd", total, total - used)


def _jetson(root: Path, memory: Memory) -> list[Accelerator]:
    if "jetson" not in (read_board(root) or "").lower():
        return []
    return [Accelerator("NVIDIA Tegra", "nvidia", memory.total, memory.available, shares_memory=True)]


def _undriven(root: Path) -> list[Accelerator]:
    # The card is there, NVIDIA's driver is not: llama.cpp cannot use it and its memory is not known.
    cards = [card for card in _cards(root) if _vendor(card) == "nvidia"]
    return [Accelerator("NVIDIA GPU without NVIDIA's driver", "nvidia", 0, 0) for _ in cards]


def _apple(root: Path, memory: Memory) -> Iterator[Accelerator]:
    if root != Path("/") or platform.system() != "Darwin" or platform.machine() != "arm64":
        return
    share = memory.total * 3 // 4 if memory.total > _METAL_STEP else memory.total * 2 // 3
    yield Accelerator("Apple GPU", "apple", share, min(share, memory.available), shares_memory=True)
