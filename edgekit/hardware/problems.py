"""What is wrong or wasted on a machine, each with what mends it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from edgekit.hardware.backends import build_command
from edgekit.hardware.board import read_board
from edgekit.hardware.host import Host
from edgekit.hardware.machine import Accelerator, BackendDevice, Machine
from edgekit.hardware.memory import host_memory, swap_areas
from edgekit.hardware.processor import architecture
from edgekit.hardware.system_files import text

_GIB = 1 << 30
_LITTLE_MEMORY = 4 * _GIB
# The smallest Gemma 4 with its projector.
_LITTLE_DISK = 5 * _GIB
# Linux's number of SD cards and eMMC as block devices.
_MMC = 179
_FREQUENCY = "sys/devices/system/cpu/cpu0/cpufreq"
# Their `powersave` goes as fast as it takes.
_ADAPTIVE_DRIVERS = ("intel_pstate", "amd-pstate-epp")
_RAISE_LIMIT = {
    "docker": "start it with a larger `--memory`",
    "podman": "start it with a larger `--memory`",
    "kubernetes": "raise resources.limits.memory of its container",
}


@dataclass(frozen=True)
class Problem:
    """What makes a machine or a file fail, or do worse than it could."""

    # For scripts: it keeps its meaning.
    name: str
    # For people: what is wrong, what comes of it, what to do.
    text: str


def machine_problems(
    host: Host, machine: Machine, devices: tuple[BackendDevice, ...] = (), built: frozenset[str] | None = None
) -> list[Problem]:
    """Return what is wrong with a machine; `devices` and `built` are what llama.cpp lists and was compiled for."""
    return [
        *_of_accelerators(machine, devices),
        *_of_build(machine, built),
        *_of_control_groups(host, machine),
        *_of_memory(host, machine),
        *_of_processor(host),
        *_of_disk(machine),
    ]


def _of_accelerators(machine: Machine, devices: tuple[BackendDevice, ...]) -> Iterator[Problem]:
    found = [one for one in machine.accelerators if not one.shares_memory] or list(machine.accelerators)
    for one in {one.name: one for one in found}.values():
        if _lacks_driver(one):
            fix = "install NVIDIA's (Ubuntu: `sudo ubuntu-drivers install`)"
            yield Problem("gpu_without_driver", f"an NVIDIA GPU lies idle, for its driver is missing: {fix}")
        elif one.install:
            what = f"{one.name} lies idle, for this llama.cpp build cannot drive it"
            yield Problem("gpu_idle", f"{what}: {one.install}")
    drives = any(device.kind in ("gpu", "integrated_gpu") for device in devices)
    if devices and not drives and any(one.usable for one in found):
        fix = "update its driver, or let this user open its device"
        yield Problem("gpu_not_listed", f"llama.cpp was built for this GPU but does not list it: {fix}")


def _lacks_driver(one: Accelerator) -> bool:
    return one.vendor == "nvidia" and "without" in one.name


def _of_build(machine: Machine, built: frozenset[str] | None) -> Iterator[Problem]:
    if built is None:
        return
    # ggml uses these two on other conditions than the processor's flag alone.
    unused = sorted(set(machine.processor.features) - built - {"bf16", "sve2"})
    if unused:
        command = build_command("", machine.system)
        what = f"llama.cpp was built without {', '.join(unused)}, which this processor has"
        yield Problem("build_without_instructions", f"{what}: {command}")


def _of_control_groups(host: Host, machine: Machine) -> Iterator[Problem]:
    if (read_board(host) or "").startswith("Raspberry Pi") and _lacks_memory_controller(host):
        fix = "add `cgroup_enable=memory` to the one line of /boot/firmware/cmdline.txt and restart"
        if "cgroup_enable=memory" in (text(host.root / "proc/cmdline") or ""):
            # raspberrypi/linux issue 6980: kernels of 2025 read the firmware's `cgroup_disable` after it.
            fix = "it was asked for in vain, so update the kernel with `sudo apt full-upgrade`"
        what = "the kernel's memory controller is off, so that containers ignore their `--memory`"
        yield Problem("memory_controller_off", f"{what}: {fix}")
    limit, whole = machine.memory.limit, host_memory(host)
    if limit is not None and whole and limit < whole // 2:
        sizes = f"{limit / _GIB:.1f} GiB of the host's {whole / _GIB:.1f}"
        fix = _RAISE_LIMIT.get(machine.container or "", "raise memory.max of its control group")
        yield Problem("container_limit", f"the container may use {sizes}: {fix}")


def _lacks_memory_controller(host: Host) -> bool:
    # Newer kernels leave the controller out of /proc/cgroups where only version 2 has it.
    unified = text(host.root / "sys/fs/cgroup/cgroup.controllers")
    if unified is not None:
        return "memory" not in unified.split()
    rows = (line.split() for line in (text(host.root / "proc/cgroups") or "").splitlines())
    return any(row[0] == "memory" and row[-1] == "0" for row in rows if row)


def _of_memory(host: Host, machine: Machine) -> Iterator[Problem]:
    memory = machine.memory
    if host.bits == 32 and architecture(host) in ("aarch64", "x86_64"):
        what = "32-bit programs on a 64-bit kernel: models above 2 GiB cannot be mapped, and smaller ones are slow"
        yield Problem("userland_32_bit", f"{what}; install the 64-bit system")
    if any(_is_on_sd_card(host, name) for name, _, _ in swap_areas(host.root)):
        fix = "`sudo apt purge dphys-swapfile && sudo apt install zram-tools` keeps it compressed in memory instead"
        yield Problem("swap_on_sd_card", f"swap lies on an SD card, which is slow and wears out: {fix}")
    little = host.system == "Linux" and memory.limit is None and memory.total < _LITTLE_MEMORY
    if little and not memory.swap_total + memory.zram_total:
        size = f"{memory.total / _GIB:.1f} GiB of memory and no swap"
        yield Problem("no_swap", f"{size}, so that one peak ends a program: `sudo apt install zram-tools`")


def _is_on_sd_card(host: Host, name: str) -> bool:
    is_device = name.startswith("/dev/")
    if not (name.startswith("/dev/mmcblk") if is_device else _mount_major(host, PurePosixPath(name)) == _MMC):
        return False
    kinds = [text(path) for path in (host.root / "sys/block").glob("mmcblk[0-9]/device/type")]
    return "SD" in kinds or not kinds


def _mount_major(host: Host, file: PurePosixPath) -> int | None:
    """Return the number of the driver whose device holds a file."""
    rows = [line.split() for line in (text(host.root / "proc/self/mountinfo") or "").splitlines()]
    mounts = {PurePosixPath(row[4]): row[2] for row in rows if len(row) > 4}
    holder = next((mounts[folder] for folder in file.parents if folder in mounts), None)
    return int(holder.partition(":")[0]) if holder else None


def _of_processor(host: Host) -> Iterator[Problem]:
    folder = host.root / _FREQUENCY
    if text(folder / "scaling_governor") == "powersave" and text(folder / "scaling_driver") not in _ADAPTIVE_DRIVERS:
        fix = "`echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor`"
        yield Problem("governor_powersave", f"the governor keeps the processor at its lowest clock: {fix}")


def _of_disk(machine: Machine) -> Iterator[Problem]:
    if machine.disk_free is not None and machine.disk_free < _LITTLE_DISK:
        size = f"only {machine.disk_free / _GIB:.1f} GiB are free where models go"
        yield Problem("disk_full", f"{size}: free some, or set HF_HOME to a folder on a larger disk")
