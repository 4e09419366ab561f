"""What Windows tells in its own way: display adapters by the registry, kinds of cores by its CPU sets."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping

from edgekit.hardware.host import Host
from edgekit.hardware.machine import Accelerator, Memory
from edgekit.hardware.pci import VENDORS

_DISPLAYS = "{4d36e968-e325-11ce-bfc1-08002be10318}"
# "Radeon(TM) Graphics", "Radeon 780M Graphics", "UHD Graphics 770", "Iris(R) Xe Graphics", "Arc(TM) Graphics", and of
# Core Ultra 200V "Arc(TM) 140V GPU"; cards are "Radeon RX 7600", "Arc(TM) A770 Graphics", "Arc(TM) B580 Graphics".
_INTEGRATED = re.compile(
    r"(UHD|HD|Iris.*|Radeon(\(TM\))?( Vega)?( \d+M?)?) Graphics|Arc\(TM\) (\d+\w* )?(Graphics|GPU)"
)
# SYSTEM_CPU_SET_INFORMATION (winnt.h): size, group at 12, core in it at 15, efficiency class at 18 (higher is faster).
_CPU_SET = struct.Struct("<I8xHxB2xB")


def efficiency_cores(cpu_sets: bytes) -> int:
    """Return how many cores are of a slower class than the fastest, from GetSystemCpuSetInformation's bytes."""
    classes: dict[tuple[int, int], int] = {}
    position = 0
    while position + _CPU_SET.size <= len(cpu_sets):
        size, group, core, its_class = _CPU_SET.unpack_from(cpu_sets, position)
        classes[group, core] = its_class
        # Later versions of Windows may write longer records.
        position += max(size, _CPU_SET.size)
    return sum(1 for its_class in classes.values() if its_class < max(classes.values()))


def display_adapters(host: Host, memory: Memory) -> Iterator[Accelerator]:
    """Yield the GPUs; remote desktops' and other software adapters are left out."""
    for path, values in host.registry().items():
        matched = re.match(r"pci\\ven_([0-9a-f]{4})", str(values.get("MatchingDeviceId", "")).lower())
        vendor = VENDORS.get(int(matched.group(1), 16)) if matched and _DISPLAYS in path.lower() else None
        if vendor:
            yield _adapter(str(values.get("DriverDesc", "GPU")), vendor, values, memory)


def _adapter(name: str, vendor: str, values: Mapping[str, str | int | bytes], memory: Memory) -> Accelerator:
    if _INTEGRATED.search(name):
        # Windows lends integrated GPUs half of main memory.
        return Accelerator(name, vendor, memory.total // 2, memory.available // 2, shares_memory=True)
    # The older 32-bit value stops at 4 GiB.
    told = values.get("HardwareInformation.qwMemorySize")
    total = told if isinstance(told, int) else 0
    return Accelerator(name, vendor, total, total)
