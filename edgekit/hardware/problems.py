"""What is wrong or wasted on a machine, each with what mends it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from edgekit.hardware.board import read_board
from edgekit.hardware.build_problems import of_accelerators, of_build
from edgekit.hardware.host import Host
from edgekit.hardware.machine import BackendDevice, Machine
from edgekit.hardware.memory import host_memory, swap_areas
from edgekit.hardware.problem import Problem
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


def machine_problems(
    host: Host, machine: Machine, devices: tuple[BackendDevice, ...] = (), built: frozenset[str] | None = None
) -> list[Problem]:
    """Return what is wrong with a machine; `devices` and `built` are what llama.cpp lists and was compiled for."""
    return [
        *of_accelerators(machine, devices),
        *of_build(machine, built),
        *_of_control_groups(host, machine),
        *_of_memory(host, machine),
        *_of_processor(host),
        *_of_disk(machine),
    ]


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
