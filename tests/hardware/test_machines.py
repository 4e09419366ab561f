"""What edgekit sees on each machine, in full: a line of this table each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from hardware.machines import MACHINES, host

from edgekit.hardware.machine import Accelerator
from edgekit.hardware.probe import describe
from edgekit.installation import pip

GIB = 1 << 30
MIB = 1 << 20


@dataclass
class Seen:
    # GiB, as a person would say them.
    total: float
    available: float
    # All, small ones among them, threads for us.
    cores: tuple[int, int, int]
    model: str
    # The longest of its kind: AVX2 without AVX-512, dotprod without i8mm, ...
    simd: str
    # Vendor, GiB in all, whether they are main memory's.
    accelerators: tuple[tuple[str, float, bool], ...] = ()
    # MiB on disk and in zram.
    swap: tuple[int, int] = (0, 0)
    place: str | None = None
    limit: bool = False
    system: str = "Linux"


SEEN = {
    "raspberry-pi-4-2gb": Seen(1.81, 1.53, (4, 0, 4), "Cortex-A72", "neon", swap=(99, 0)),
    "raspberry-pi-4-4gb": Seen(3.70, 3.38, (4, 0, 4), "Cortex-A72", "neon", swap=(99, 0)),
    "raspberry-pi-4-8gb": Seen(7.63, 7.19, (4, 0, 4), "Cortex-A72", "neon", swap=(99, 0)),
    "raspberry-pi-4-32bit": Seen(3.70, 3.38, (4, 0, 4), "Cortex-A72", "", swap=(0, 1896)),
    "raspberry-pi-5-4gb": Seen(3.96, 3.49, (4, 0, 4), "Cortex-A76", "dotprod", swap=(511, 0)),
    "raspberry-pi-5-8gb": Seen(7.87, 7.26, (4, 0, 4), "Cortex-A76", "dotprod", swap=(199, 0)),
    "raspberry-pi-5-16gb": Seen(15.84, 14.90, (4, 0, 4), "Cortex-A76", "dotprod", swap=(0, 2047)),
    "jetson-orin-nano-8gb": Seen(
        7.44, 6.60, (6, 0, 6), "Cortex-A78AE", "dotprod", (("nvidia", 7.44, True),), swap=(0, 3809)
    ),
    "orange-pi-5-16gb": Seen(15.44, 14.71, (8, 4, 8), "Cortex-A76, Cortex-A55", "dotprod", swap=(0, 2047)),
    "intel-laptop": Seen(7.62, 5.15, (4, 0, 8), "i5-8250U", "avx2", (("intel", 3.81, True),), swap=(7812, 0)),
    "intel-hybrid-laptop-16gb": Seen(
        15.33, 11.64, (12, 8, 16), "i7-1360P", "avx_vnni", (("intel", 7.66, True),), swap=(2047, 0)
    ),
    "amd-apu": Seen(15.0, 11.44, (8, 0, 16), "Ryzen 7 7840U", "avx512_vnni", (("amd", 7.5, True),)),
    "desktop-rtx-3060-12gb": Seen(
        31.26, 27.09, (6, 0, 12), "i5-12400", "avx_vnni", (("nvidia", 12.0, False),), swap=(2047, 0)
    ),
    "desktop-rtx-4060-8gb": Seen(
        15.54, 10.88, (6, 0, 12), "Ryzen 5 5600", "avx2", (("nvidia", 8.0, False),), swap=(0, 8191)
    ),
    "desktop-rtx-4090-24gb": Seen(
        62.52,
        57.61,
        (24, 16, 32),
        "i9-13900K",
        "avx_vnni",
        (("nvidia", 23.99, False), ("intel", 31.26, True)),
        swap=(8191, 0),
    ),
    "workstation-two-rtx-3090": Seen(
        62.69, 58.57, (16, 0, 32), "Ryzen 9 5950X", "avx2", (("nvidia", 24.0, False), ("nvidia", 24.0, False))
    ),
    "server-a100-80gb": Seen(196.73, 193.99, (12, 0, 24), "EPYC 7763", "avx2", (("nvidia", 80.0, False),)),
    "desktop-arc-a770-16gb": Seen(
        31.26,
        27.09,
        (6, 0, 12),
        "i5-10400",
        "avx2",
        (("intel", 16.0, False), ("intel", 15.63, True)),
        swap=(2047, 0),
    ),
    "radeon-rx-7900-xtx": Seen(31.25, 26.70, (16, 0, 32), "Ryzen 9 7950X", "avx512", (("amd", 23.98, False),)),
    "nvidia-driver-only": Seen(31.25, 26.70, (12, 4, 20), "i7-12700", "avx_vnni", (("nvidia", 0.0, False),)),
    "apple-m1-8gb": Seen(
        8.0, 3.17, (8, 4, 8), "Apple M1", "dotprod", (("apple", 5.33, True),), swap=(2048, 0), system="Darwin"
    ),
    "apple-m3-max-64gb": Seen(
        64.0, 45.63, (16, 4, 16), "Apple M3 Max", "i8mm", (("apple", 48.0, True),), system="Darwin"
    ),
    "apple-m4-pro-24gb-raised": Seen(
        24.0, 16.76, (12, 4, 12), "Apple M4 Pro", "i8mm", (("apple", 20.0, True),), system="Darwin"
    ),
    "container-2gb-nested": Seen(2.0, 1.70, (4, 0, 2), "Gold 6338", "avx512_vnni", place="kubernetes", limit=True),
    "container-2gb-nested-v1": Seen(2.0, 1.80, (4, 0, 2), "Gold 6338", "avx512_vnni", place="docker", limit=True),
    "container-v1": Seen(3.0, 2.0, (4, 0, 4), "i5-6500", "avx2", place="docker", limit=True),
    "container-v2-namespace": Seen(4.0, 3.75, (8, 0, 2), "Ryzen 7 5800X", "avx2", place="docker", limit=True),
    "unlimited-v1": Seen(15.62, 11.44, (4, 0, 4), "i5-6500", "avx2"),
    "wsl2": Seen(7.67, 6.68, (8, 0, 16), "i7-1260P", "avx_vnni", swap=(2048, 0), place="wsl2"),
    "wsl2-rtx-4070-laptop": Seen(
        7.67, 6.68, (8, 0, 16), "i7-1360P", "avx_vnni", (("nvidia", 8.0, False),), swap=(2048, 0), place="wsl2"
    ),
    "android-termux-12gb": Seen(
        10.96,
        4.79,
        (8, 3, 8),
        "Cortex-X3, Cortex-A715, Cortex-A710",
        "i8mm",
        swap=(8191, 0),
        place="termux",
    ),
    "windows-desktop-rtx-4060-ti": Seen(
        31.86,
        22.0,
        (14, 8, 20),
        "i5-13500",
        "avx2",
        (("nvidia", 8.0, False), ("intel", 15.93, True)),
        swap=(4864, 0),
        system="Windows",
    ),
    "windows-desktop-rx-7600": Seen(
        31.13,
        22.93,
        (6, 0, 12),
        "Ryzen 5 7600",
        "avx512",
        (("amd", 7.98, False), ("amd", 15.57, True)),
        swap=(2048, 0),
        system="Windows",
    ),
    "risc-v-board-16gb": Seen(15.43, 14.50, (8, 0, 8), "Spacemit(R) X60", "rvv"),
    "cloud-vm-epyc-24gb": Seen(23.54, 17.26, (2, 0, 2), "AMD EPYC", "avx512_vnni"),
}


def test_every_machine_is_in_the_table() -> None:
    assert set(SEEN) == set(MACHINES)
    assert len(MACHINES) >= 20


@pytest.mark.parametrize("name", SEEN)
def test_what_is_seen(name: str, tmp_path: Path) -> None:
    seen, machine = SEEN[name], MACHINES[name](tmp_path)
    memory, processor = machine.memory, machine.processor
    assert (memory.total / GIB, memory.available / GIB) == pytest.approx((seen.total, seen.available), abs=0.006)
    assert (memory.limit == memory.total) is seen.limit
    assert (memory.swap_total // MIB, memory.zram_total // MIB) == seen.swap
    assert (processor.physical_cores, processor.efficiency_cores, processor.usable_threads) == seen.cores
    assert seen.model in processor.model
    assert (machine.container, machine.system) == (seen.place, seen.system)
    found = [(one.vendor, one.memory_total / GIB, one.shares_memory) for one in machine.accelerators]
    assert [(one[0], one[2]) for one in found] == [(one[0], one[2]) for one in seen.accelerators]
    assert [one[1] for one in found] == pytest.approx([one[1] for one in seen.accelerators], abs=0.006)


@pytest.mark.parametrize("name", SEEN)
def test_instruction_sets(name: str, tmp_path: Path) -> None:
    features = set(MACHINES[name](tmp_path).processor.features)
    ladders = (
        ("avx2", "avx_vnni"),
        ("avx2", "avx512", "avx512_vnni"),
        ("neon", "dotprod", "i8mm"),
        ("rvv",),
    )
    simd = SEEN[name].simd
    ladder = next((one for one in ladders if simd in one), ())
    has = set(ladder[: ladder.index(simd) + 1]) if simd else set()
    assert has <= features
    above = set(ladder) - has if simd else {step for one in ladders for step in one}
    assert not above & features


@pytest.mark.parametrize("name", SEEN)
def test_main_memory_is_never_counted_twice(name: str, tmp_path: Path) -> None:
    machine = MACHINES[name](tmp_path)
    for one in machine.accelerators:
        if one.shares_memory:
            assert one.memory_total <= machine.memory.total
            assert one.memory_free <= machine.memory.available


@pytest.mark.parametrize(
    ("name", "board"),
    [
        ("raspberry-pi-4-8gb", "Raspberry Pi 4 Model B Rev 1.5"),
        ("raspberry-pi-5-16gb", "Raspberry Pi 5 Model B Rev 1.1"),
        ("jetson-orin-nano-8gb", "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super"),
        ("android-termux-12gb", "Xiaomi 2210132G"),
        ("apple-m1-8gb", None),
        ("cloud-vm-epyc-24gb", None),
    ],
)
def test_boards_and_telephones(name: str, board: str | None, tmp_path: Path) -> None:
    assert MACHINES[name](tmp_path).board == board


@pytest.mark.parametrize(
    ("name", "gigabytes"),
    # As NVIDIA publishes them.
    [
        ("desktop-rtx-3060-12gb", 360),
        ("desktop-rtx-4060-8gb", 272),
        ("desktop-rtx-4090-24gb", 1008),
        ("workstation-two-rtx-3090", 936),
        ("server-a100-80gb", 2039),
        ("windows-desktop-rtx-4060-ti", 288),
        ("wsl2-rtx-4070-laptop", 256),
    ],
)
def test_bandwidths_that_nvml_implies(name: str, gigabytes: int, tmp_path: Path) -> None:
    first = MACHINES[name](tmp_path).accelerators[0]
    assert first.memory_bandwidth is not None
    assert first.memory_bandwidth / 1e9 == pytest.approx(gigabytes, rel=0.001)


def test_a_jetsons_container_shows_no_device_tree(tmp_path: Path) -> None:
    found = host("jetson-orin-nano-8gb", tmp_path)
    (found.root / "proc/device-tree/model").unlink()
    [one] = describe(found, frozenset({"cuda"})).accelerators
    assert (one.vendor, one.shares_memory, one.usable) == ("nvidia", True, True)


@pytest.mark.parametrize(
    ("format", "vram", "shares", "gib"),
    [
        # A card of 4 GB (RX 6500 XT) beside much memory, an APU, an APU to which the firmware gave 96 GB.
        (1, 4, False, 4),
        (2, 1, True, 16),
        (3, 96, False, 96),
        # Before Vega 12 and Renoir nothing tells.
        (None, 4, False, 4),
        (None, 1, True, 16),
    ],
)
def test_cards_and_apus_of_amd(format: int | None, vram: int, shares: bool, gib: int, tmp_path: Path) -> None:
    found = host("radeon-rx-7900-xtx", tmp_path)
    device = found.root / "sys/class/drm/card0/device"
    (device / "mem_info_vram_total").write_text(f"{vram * GIB}\n")
    (device / "mem_info_vram_used").write_text("0\n")
    (device / "mem_info_gtt_total").write_text(f"{16 * GIB}\n")
    if format is not None:
        (device / "gpu_metrics").write_bytes(bytes([120, 0, format, 3]) + bytes(116))
    [one] = describe(found, frozenset()).accelerators
    assert (one.shares_memory, one.memory_total) == (shares, gib * GIB)


def test_an_arc_without_resizable_bar_has_no_known_memory(tmp_path: Path) -> None:
    found = host("desktop-arc-a770-16gb", tmp_path)
    resource = found.root / "sys/class/drm/card0/device/resource"
    resource.write_text(resource.read_text().replace("0x00000043ffffffff", "0x000000400fffffff"))
    assert describe(found, frozenset()).accelerators[0].memory_total == 0


@pytest.mark.parametrize(
    ("name", "command"),
    [
        (
            "desktop-rtx-4060-8gb",
            "{pip} --force-reinstall --no-deps --index-url https://abetlen.github.io/llama-cpp-python/whl/cu124 "
            '"llama-cpp-python<0.4,>=0.3.36"',
        ),
        (
            "jetson-orin-nano-8gb",
            'CMAKE_ARGS="-DGGML_CUDA=on" {pip} --force-reinstall --no-deps --no-cache-dir ',
        ),
        ("amd-apu", 'CMAKE_ARGS="-DGGML_VULKAN=on" {pip} '),
        ("apple-m1-8gb", 'CMAKE_ARGS="-DGGML_METAL=on" {pip} '),
        ("windows-desktop-rx-7600", '$env:CMAKE_ARGS="-DGGML_VULKAN=on"; {pip} '),
    ],
)
def test_the_command_that_makes_a_gpu_usable(name: str, command: str, tmp_path: Path) -> None:
    idle: Accelerator = describe(host(name, tmp_path), frozenset()).accelerators[0]
    assert not idle.usable
    assert idle.install is not None
    assert command.format(pip=pip()) in idle.install
    assert all(one.install is None for one in MACHINES[name](tmp_path / "usable").accelerators if one.usable)
