"""Boards, containers, accelerators and profiles."""

from __future__ import annotations

import pytest

from edgekit import paths
from edgekit.errors import EdgekitError, FileError
from edgekit.hardware.backends import built_backends
from edgekit.hardware.probe import describe, probe
from edgekit.hardware.profile import profile_names, read_profile

NO_BACKENDS: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("machine", "container", "board"),
    [
        ("raspberry-pi-5-8gb", None, "Raspberry Pi 5 Model B Rev 1.0"),
        ("container-v2-namespace", "docker", None),
        ("container-v1", "docker", None),
        ("container-2gb-nested", "kubernetes", None),
        ("wsl2", "wsl2", None),
        ("intel-laptop", None, None),
    ],
)
def test_place(machine_host, machine, container, board):
    found = describe(machine_host(machine), NO_BACKENDS)
    assert (found.container, found.board) == (container, board)


@pytest.mark.parametrize(
    ("machine", "vendor", "shares", "gib"),
    [
        ("amd-apu", "amd", True, 7.5),
        ("radeon-rx-7900-xtx", "amd", False, 23.98),
        ("intel-laptop", "intel", True, 3.81),
        ("jetson-orin-nano-8gb", "nvidia", True, 7.44),
        ("nvidia-driver-only", "nvidia", False, 0.0),
    ],
)
def test_each_accelerator_is_counted_once(machine_host, machine, vendor, shares, gib):
    (one,) = describe(machine_host(machine), NO_BACKENDS).accelerators
    assert (one.vendor, one.shares_memory) == (vendor, shares)
    assert one.memory_total / 2**30 == pytest.approx(gib, abs=0.01)


@pytest.mark.parametrize("machine", ["raspberry-pi-5-8gb", "container-v1", "wsl2"])
def test_no_accelerator_is_made_up(machine_host, machine):
    assert describe(machine_host(machine), NO_BACKENDS).accelerators == ()


@pytest.mark.parametrize(("backends", "usable"), [({"cuda"}, False), ({"vulkan"}, True), ({"hip"}, True), ((), False)])
def test_a_device_is_usable_only_by_a_build_that_drives_it(machine_host, backends, usable):
    machine = describe(machine_host("radeon-rx-7900-xtx"), frozenset(backends))
    assert machine.accelerators[0].usable is usable
    assert any("cannot drive" in note for note in machine.notes) is not usable


def test_a_card_without_its_driver_is_reported(machine_host):
    host = machine_host("nvidia-driver-only")
    (host.root / "proc/driver/nvidia/gpus/0000:01:00.0/information").unlink()
    (one,) = describe(host, NO_BACKENDS).accelerators
    assert (one.vendor, one.memory_total) == ("nvidia", 0)
    assert "without NVIDIA's driver" in one.name


def test_backends_are_told_by_the_libraries_beside_llama_cpp(tmp_path):
    for name in ("libggml-base.so", "libggml-cpu.so", "libggml-cuda.so", "ggml-vulkan.dll"):
        (tmp_path / name).touch()
    assert built_backends(tmp_path) == {"cuda", "vulkan"}


def test_this_machine_can_be_probed_without_measuring():
    machine = probe()
    assert 0 < machine.memory.available <= machine.memory.total
    assert machine.processor.usable_threads >= 1
    assert machine.disk_free


def test_every_profile_is_a_machine():
    names = profile_names()
    assert len(names) >= 12
    for name in names:
        machine = read_profile(name)
        assert 0 < machine.memory.available <= machine.memory.total
        assert machine.memory_bandwidth
        assert machine.memory_bandwidth > 1e9


def test_a_profile_of_ones_own(tmp_path):
    text = (paths.profiles_directory() / "machines/laptop-8gb.toml").read_text(encoding="utf-8")
    file = tmp_path / "mine.toml"
    file.write_text(text, encoding="utf-8")
    assert read_profile(str(file)).name == "mine"
    file.write_text("title = 'half'\n", encoding="utf-8")
    with pytest.raises(FileError, match="no machine profile: it lacks 'memory'"):
        read_profile(str(file))
    file.write_text("title = ", encoding="utf-8")
    with pytest.raises(FileError, match="cannot read"):
        read_profile(str(file))


def test_an_unknown_profile_says_where_to_look():
    with pytest.raises(EdgekitError, match="--profiles"):
        read_profile("raspberry-pi-9")
