"""AMD's and Intel's GPUs as Linux shows them under /sys/class/drm."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from edgekit.hardware.host import Host
from edgekit.hardware.machine import Accelerator, Memory
from edgekit.hardware.system_files import number, text

_GIB = 1 << 30
VENDORS = {0x1002: "amd", 0x8086: "intel", 0x10DE: "nvidia"}
# Where Intel's integrated GPUs sit since 2008; cards are behind a bridge.
_INTEL_INTEGRATED = "0000:00:02."
# The region of its memory that the processor sees, which is all of it where resizable BAR is on.
_MEMORY_REGION = 2
# Behind the table's size, two bytes.
_METRICS_FORMAT = 2


def cards(host: Host, memory: Memory) -> Iterator[Accelerator]:
    """Yield AMD's and Intel's GPUs."""
    for device in _devices(host.root):
        if _vendor(device) == "amd":
            yield _amd(device, memory)
        elif _vendor(device) == "intel":
            yield _intel(device, memory)


def has_card(host: Host, vendor: str) -> bool:
    """Return whether a vendor's card is there, whatever drives it."""
    return any(_vendor(device) == vendor for device in _devices(host.root))


def _devices(root: Path) -> list[Path]:
    # Connectors (card0-HDMI-A-1) point to their card's device again.
    found = (root / "sys/class/drm").glob("card[0-9]*/device")
    return sorted(device for device in found if "-" not in device.parent.name)


def _vendor(device: Path) -> str | None:
    told = text(device / "vendor")
    return VENDORS.get(int(told, 16)) if told and re.fullmatch("0x[0-9a-f]{4}", told) else None


def _amd(device: Path, memory: Memory) -> Accelerator:
    total = number(device / "mem_info_vram_total") or 0
    used = number(device / "mem_info_vram_used") or 0
    borrowed = number(device / "mem_info_gtt_total") or 0
    name = text(device / "product_name") or "AMD GPU"
    if borrowed > total and _is_apu(device, total):
        # A small carved-out part, the rest borrowed from main memory; a large part is the GPU's own.
        return Accelerator(name, "amd", borrowed, min(borrowed, memory.available), shares_memory=True)
    return Accelerator(name, "amd", total, total - used)


def _is_apu(device: Path, total: int) -> bool:
    try:
        # Its format: 1 for cards since Vega 12, 2 and more for APUs since Renoir (the kernel's kgd_pp_interface.h).
        return (device / "gpu_metrics").read_bytes()[_METRICS_FORMAT] > 1
    except (OSError, IndexError):
        # Older ones have no metrics; of these only small cards have so little memory.
        return total <= 2 * _GIB


def _intel(device: Path, memory: Memory) -> Accelerator:
    slot = re.search(r"^PCI_SLOT_NAME=(.+)$", text(device / "uevent") or "", re.MULTILINE)
    if slot and not slot.group(1).startswith(_INTEL_INTEGRATED):
        total = _region(device)
        return Accelerator("Intel Arc", "intel", total, total)
    # No file tells an integrated GPU's share; its drivers lend it up to half of main memory.
    return Accelerator("Intel graphics", "intel", memory.total // 2, memory.available // 2, shares_memory=True)


def _region(device: Path) -> int:
    """Return a card's memory in bytes; zero where only a window of it shows."""
    lines = (text(device / "resource") or "").splitlines()
    if len(lines) <= _MEMORY_REGION:
        return 0
    first, last, _ = (int(word, 16) for word in lines[_MEMORY_REGION].split())
    size = last - first + 1
    return size if size >= _GIB else 0
