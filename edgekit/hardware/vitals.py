"""How hot the processor is, and whether it is being slowed down, as the kernel tells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgekit.hardware.system_files import number, text

# What thermal zones and hwmon drivers of processors are called: Raspberry Pi and most boards, Jetson, Rockchip, PCs.
_PROCESSORS = ("cpu", "x86_pkg_temp", "soc", "coretemp", "k10temp", "package", "bigcore", "acpitz")
# Raspberry Pi's firmware: bits of what is so now; those above 16 say what has been since the start
# (raspberrypi/linux pull request 2397). Its place is soc on Pi 4, soc@107c000000 on Pi 5.
_FIRMWARE = "sys/devices/platform/soc*/*firmware/get_throttled"
_FIRMWARE_BITS = ((0x1, "undervoltage"), (0xE, "throttled"))
# Cooling devices that slow the processor: cpufreq-cpu0, thermal-cpufreq-0, Processor. Fans are none.
_SLOWING = ("cpufreq", "processor")


@dataclass(frozen=True)
class Vitals:
    """What the kernel says right now."""

    # Degrees Celsius of the processor; None where nothing tells.
    temperature: float | None = None
    # "throttled", "undervoltage", or both; empty while the processor runs freely.
    limits: str = ""


def read_vitals(root: Path = Path("/")) -> Vitals:
    """Return the processor's temperature and what slows it; /sys lies under `root`."""
    return Vitals(_temperature(root), " ".join(_limits(root)))


def _temperature(root: Path) -> float | None:
    sensors = [*_zones(root), *_chips(root)]
    # The zone that names the processor best; of several of one name the hottest counts.
    for name in _PROCESSORS:
        if found := [degrees for kind, degrees in sensors if kind.startswith(name)]:
            return max(found)
    return None


def _zones(root: Path) -> Iterator[tuple[str, float]]:
    for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*")):
        kind, degrees = text(zone / "type"), number(zone / "temp")
        # A zone that is switched off says 0 or below.
        if kind and degrees and degrees > 0:
            yield kind.lower(), degrees / 1000


def _chips(root: Path) -> Iterator[tuple[str, float]]:
    for chip in sorted((root / "sys/class/hwmon").glob("hwmon*")):
        kind, degrees = text(chip / "name"), number(chip / "temp1_input")
        if kind and degrees and degrees > 0:
            yield kind.lower(), degrees / 1000


def _limits(root: Path) -> Iterator[str]:
    for path in sorted(root.glob(_FIRMWARE)):
        bits = _hexadecimal(text(path))
        yield from (name for bit, name in _FIRMWARE_BITS if bits & bit)
        return
    if any(_slows(device) for device in (root / "sys/class/thermal").glob("cooling_device*")):
        yield "throttled"


def _hexadecimal(content: str | None) -> int:
    try:
        return int(content or "0", 16)
    except ValueError:
        return 0


def _slows(device: Path) -> bool:
    kind = (text(device / "type") or "").lower()
    return any(name in kind for name in _SLOWING) and (number(device / "cur_state") or 0) > 0
