"""What doctor says of a machine: each problem where it is, none where it is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hardware.machines import MACHINES, host

from edgekit.hardware.build import backend_devices, built_features
from edgekit.hardware.host import Host
from edgekit.hardware.machine import BackendDevice
from edgekit.hardware.probe import describe
from edgekit.hardware.problem import Problem
from edgekit.hardware.problems import machine_problems
from edgekit.hardware.processor import read_processor
from edgekit.hardware.this_host import this_host
from edgekit.installation import pip

# With a llama.cpp build that suits each machine.
PROBLEMS = {
    "raspberry-pi-4-2gb": {"memory_controller_off", "swap_on_sd_card"},
    "raspberry-pi-4-4gb": {"memory_controller_off", "swap_on_sd_card"},
    "raspberry-pi-4-8gb": {"memory_controller_off", "swap_on_sd_card"},
    "raspberry-pi-4-32bit": {"userland_32_bit"},
    "raspberry-pi-5-8gb": {"swap_on_sd_card"},
    "orange-pi-5-16gb": {"governor_powersave"},
    "container-2gb-nested": {"container_limit"},
    "container-2gb-nested-v1": {"container_limit"},
    "container-v1": {"container_limit"},
    "container-v2-namespace": {"container_limit"},
}


def found(
    host: Host, *, backends: frozenset[str] = frozenset(), devices: tuple[BackendDevice, ...] = ()
) -> list[Problem]:
    problems = machine_problems(host, describe(host, backends), devices)
    assert all("\n" not in problem.text for problem in problems)
    return problems


def names(host: Host) -> set[str]:
    return {problem.name for problem in found(host)}


@pytest.mark.parametrize("name", MACHINES)
def test_each_machine(name: str, tmp_path: Path) -> None:
    machine = MACHINES[name](tmp_path / "machine")
    problems = machine_problems(host(name, tmp_path / "host"), machine)
    assert {problem.name for problem in problems} == PROBLEMS.get(name, set())


def test_a_gpu_beside_a_build_for_the_processor_alone(machine_host: Callable[[str], Host]) -> None:
    [problem] = found(machine_host("desktop-rtx-4060-8gb"))
    assert problem.name == "gpu_idle"
    assert problem.text.startswith(
        f"NVIDIA GeForce RTX 4060 lies idle, for this llama.cpp build cannot drive it: {pip()} "
    )
    assert found(machine_host("server-a100-80gb"), backends=frozenset({"cuda"})) == []


def test_equal_gpus_and_integrated_ones_beside_them_are_named_once(machine_host: Callable[[str], Host]) -> None:
    assert len(found(machine_host("workstation-two-rtx-3090"))) == 1
    assert len(found(machine_host("desktop-rtx-4090-24gb"))) == 1


def test_a_gpu_whose_driver_is_missing(machine_host: Callable[[str], Host]) -> None:
    desktop = replace(machine_host("desktop-rtx-3060-12gb"), nvidia=tuple)
    assert names(desktop) == {"gpu_without_driver"}


def test_a_gpu_that_llama_cpp_does_not_list(machine_host: Callable[[str], Host]) -> None:
    processor, card = BackendDevice("CPU", "EPYC", "cpu"), BackendDevice("CUDA0", "A100", "gpu")
    server, build = machine_host("server-a100-80gb"), frozenset({"cuda"})
    [problem] = found(server, backends=build, devices=(processor,))
    assert problem.name == "gpu_not_listed"
    assert found(server, backends=build, devices=(processor, card)) == []


def test_instructions_that_the_build_leaves_out(machine_host: Callable[[str], Host]) -> None:
    virtual = machine_host("cloud-vm-epyc-24gb")
    machine = describe(virtual, frozenset())
    every = frozenset(machine.processor.features)
    assert machine_problems(virtual, machine, (), every) == []
    assert machine_problems(virtual, machine, (), None) == []
    [problem] = machine_problems(virtual, machine, (), every - {"avx512_vnni", "avx2"})
    assert problem.name == "build_without_instructions"
    assert "without avx2, avx512_vnni, which" in problem.text
    assert "--no-binary llama-cpp-python" in problem.text


def test_a_build_for_another_processor(machine_host: Callable[[str], Host]) -> None:
    desktop = machine_host("desktop-rtx-4060-8gb")
    machine = describe(desktop, frozenset({"cuda"}))
    # As wheels of llama-cpp-python 0.3.35 were: it ends with an illegal instruction.
    [problem] = machine_problems(desktop, machine, (), frozenset({*machine.processor.features, "avx512"}))
    assert problem.name == "build_for_another_processor"
    assert "built for avx512, which this processor lacks" in problem.text
    # The GPU stays in use.
    assert f'CMAKE_ARGS="-DGGML_CUDA=on" {pip()}' in problem.text


def test_the_installed_build_uses_no_more_than_this_processor_has() -> None:
    features = built_features()
    assert features is not None
    # Compiled on this very machine or run on it: more would be illegal instructions.
    assert features <= set(read_processor(this_host()).features)
    assert "cpu" in {device.kind for device in backend_devices()}


def test_a_memory_controller_that_was_asked_for_in_vain(machine_host: Callable[[str], Host]) -> None:
    board = machine_host("raspberry-pi-4-4gb")
    told = {problem.name: problem.text for problem in found(board)}["memory_controller_off"]
    assert "add `cgroup_enable=memory` to the one line of /boot/firmware/cmdline.txt" in told
    line = board.root / "proc/cmdline"
    line.write_text("cgroup_enable=memory cgroup_memory=1 " + line.read_text())
    told = {problem.name: problem.text for problem in found(board)}["memory_controller_off"]
    assert "apt full-upgrade" in told


def test_the_memory_controller_of_version_2_counts(machine_host: Callable[[str], Host]) -> None:
    board = machine_host("raspberry-pi-4-4gb")
    # Newer kernels leave version 2's controllers out of /proc/cgroups.
    controllers = board.root / "sys/fs/cgroup/cgroup.controllers"
    controllers.write_text("cpuset cpu io memory pids\n")
    assert "memory_controller_off" not in names(board)
    controllers.write_text("cpuset cpu io pids\n")
    assert "memory_controller_off" in names(board)


@pytest.mark.parametrize(
    ("area", "kind", "expected"),
    [
        ("/dev/mmcblk0p3", "SD", True),
        ("/dev/mmcblk0p3", "MMC", False),
        ("/swapfile", "SD", True),
        ("/swapfile", "MMC", False),
        ("/mnt/usb/swapfile", "SD", False),
        ("/dev/sda2", "SD", False),
        ("/dev/zram0", "SD", False),
    ],
)
def test_swap_on_an_sd_card(machine_host: Callable[[str], Host], area: str, kind: str, expected: bool) -> None:
    board = machine_host("raspberry-pi-5-8gb")
    swaps = board.root / "proc/swaps"
    swaps.write_text(swaps.read_text().replace("/var/swap", area))
    (board.root / "sys/block/mmcblk0/device/type").write_text(f"{kind}\n")
    assert ("swap_on_sd_card" in names(board)) is expected


def test_little_memory_without_swap(machine_host: Callable[[str], Host]) -> None:
    board = machine_host("raspberry-pi-4-2gb")
    (board.root / "proc/swaps").write_text("Filename Type Size Used Priority\n")
    info = board.root / "proc/meminfo"
    info.write_text(info.read_text().replace("102396", "0"))
    assert "no_swap" in names(board)


@pytest.mark.parametrize(
    ("driver", "governor", "expected"),
    [
        ("acpi-cpufreq", "powersave", True),
        ("cpufreq-dt", "ondemand", False),
        ("intel_pstate", "powersave", False),
        ("amd-pstate-epp", "powersave", False),
    ],
)
def test_a_governor_that_saves_power(
    machine_host: Callable[[str], Host], driver: str, governor: str, expected: bool
) -> None:
    board = machine_host("orange-pi-5-16gb")
    folder = board.root / "sys/devices/system/cpu/cpu0/cpufreq"
    (folder / "scaling_driver").write_text(f"{driver}\n")
    (folder / "scaling_governor").write_text(f"{governor}\n")
    assert ("governor_powersave" in names(board)) is expected


def test_a_full_disk(machine_host: Callable[[str], Host]) -> None:
    virtual = machine_host("cloud-vm-epyc-24gb")
    assert "disk_full" not in names(virtual)
    [problem] = found(replace(virtual, disk_free=3 << 30))
    assert problem.text.startswith("only 3.0 GiB are free where models go: ")


@pytest.mark.parametrize(("limit", "expected"), [("1073741824", True), ("34359738368", False), ("max", False)])
def test_a_limit_far_below_the_host(machine_host: Callable[[str], Host], limit: str, expected: bool) -> None:
    container = machine_host("container-v2-namespace")
    (container.root / "proc/meminfo").write_text("MemTotal: 65806340 kB\nMemAvailable: 60211540 kB\n")
    (container.root / "sys/fs/cgroup/memory.max").write_text(f"{limit}\n")
    assert ("container_limit" in names(container)) is expected
