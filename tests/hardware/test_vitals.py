"""Temperature and throttling from the kernel's files, as boards and PCs write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.hardware.vitals import Vitals, read_vitals

# What `cat` shows of each: a Raspberry Pi 4 and 5 (raspberrypi/linux pull request 2397; MichaIng/DietPi issue 6676), a
# Jetson Orin and an Orange Pi 5 (their thermal zones' types in the kernel's device trees), a PC with Intel's or AMD's.
MACHINES = {
    "raspberry-pi-4": {
        "sys/class/thermal/thermal_zone0/type": "cpu-thermal",
        "sys/class/thermal/thermal_zone0/temp": "61354",
        "sys/devices/platform/soc/soc:firmware/get_throttled": "0",
    },
    "raspberry-pi-5": {
        "sys/class/thermal/thermal_zone0/type": "cpu-thermal",
        "sys/class/thermal/thermal_zone0/temp": "84800",
        "sys/class/thermal/cooling_device0/type": "pwm-fan",
        "sys/class/thermal/cooling_device0/cur_state": "4",
        "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled": "80008",
    },
    "jetson": {
        "sys/class/thermal/thermal_zone0/type": "cpu-thermal",
        "sys/class/thermal/thermal_zone0/temp": "55687",
        "sys/class/thermal/thermal_zone1/type": "gpu-thermal",
        "sys/class/thermal/thermal_zone1/temp": "70000",
        "sys/class/thermal/thermal_zone2/type": "cv0-thermal",
        "sys/class/thermal/thermal_zone2/temp": "-256000",
    },
    "orange-pi-5": {
        "sys/class/thermal/thermal_zone0/type": "soc-thermal",
        "sys/class/thermal/thermal_zone0/temp": "52692",
        "sys/class/thermal/cooling_device1/type": "cpufreq-cpu4",
        "sys/class/thermal/cooling_device1/cur_state": "2",
    },
    "intel": {
        "sys/class/thermal/thermal_zone0/type": "acpitz",
        "sys/class/thermal/thermal_zone0/temp": "27800",
        "sys/class/thermal/thermal_zone3/type": "x86_pkg_temp",
        "sys/class/thermal/thermal_zone3/temp": "66000",
        "sys/class/thermal/cooling_device0/type": "Processor",
        "sys/class/thermal/cooling_device0/cur_state": "0",
    },
    "amd": {
        "sys/class/hwmon/hwmon0/name": "nvme",
        "sys/class/hwmon/hwmon0/temp1_input": "40850",
        "sys/class/hwmon/hwmon2/name": "k10temp",
        "sys/class/hwmon/hwmon2/temp1_input": "58250",
    },
    "virtual": {},
    "nonsense": {
        "sys/class/thermal/thermal_zone0/type": "cpu-thermal",
        "sys/class/thermal/thermal_zone0/temp": "",
        "sys/devices/platform/soc/soc:firmware/get_throttled": "what?",
    },
}
EXPECTED = {
    "raspberry-pi-4": Vitals(61.354),
    "raspberry-pi-5": Vitals(84.8, "throttled"),
    "jetson": Vitals(55.687),
    "orange-pi-5": Vitals(52.692, "throttled"),
    "intel": Vitals(66.0),
    "amd": Vitals(58.25),
    "virtual": Vitals(),
    "nonsense": Vitals(),
}


def _lay_out(files: dict[str, str], root: Path) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{content}\n")
    return root


@pytest.mark.parametrize("machine", MACHINES)
def test_reads_what_the_kernel_says(machine: str, tmp_path: Path) -> None:
    assert read_vitals(_lay_out(MACHINES[machine], tmp_path)) == EXPECTED[machine]


@pytest.mark.parametrize(
    ("bits", "limits"),
    [
        ("50005", "undervoltage throttled"),
        ("50000", ""),
        ("1", "undervoltage"),
        ("20002", "throttled"),
        ("e0008", "throttled"),
    ],
)
def test_tells_what_is_now_from_what_has_been(bits: str, limits: str, tmp_path: Path) -> None:
    files = {"sys/devices/platform/soc/soc:firmware/get_throttled": bits}
    assert read_vitals(_lay_out(files, tmp_path)).limits == limits


def test_this_machine_is_read_without_an_error() -> None:
    assert isinstance(read_vitals(), Vitals)
