"""Bandwidths that are published, for machines where nothing was measured."""

from __future__ import annotations

import pytest
from machines import MACHINES

from edgekit import paths
from edgekit.hardware.profile import BANDWIDTH_BASES, profile_names, read_profile
from edgekit.hardware.published import published_bandwidth
from edgekit.toml import read_toml


@pytest.mark.parametrize(
    ("name", "bandwidth", "basis"),
    [
        ("raspberry-pi-4-2gb", 2.45e9, "decode"),
        ("raspberry-pi-5-16gb", 10e9, "decode"),
        ("jetson-orin-nano-8gb", 102e9, "peak"),
        ("apple-m1-8gb", 68.25e9, "peak"),
        ("apple-m4-pro-24gb-raised", 273e9, "peak"),
        ("cloud-vm-epyc-24gb", None, None),
    ],
)
def test_a_machine_of_a_known_kind(tmp_path, name, bandwidth, basis):
    machine = MACHINES[name](tmp_path)
    assert (machine.memory_bandwidth, machine.bandwidth_basis) == (bandwidth, basis)


def test_the_longest_name_counts():
    assert published_bandwidth(None, "Apple M3 Max") == (300e9, "peak")
    assert published_bandwidth(None, "Apple M3") == (100e9, "peak")
    assert published_bandwidth("Pine64", "Cortex-A53") is None


def test_the_table_agrees_with_the_profiles_of_the_same_boards():
    for name in profile_names():
        machine = read_profile(name)
        said = published_bandwidth(machine.board, "")
        assert said is None or said == (machine.memory_bandwidth, machine.bandwidth_basis)


def test_every_row_is_complete():
    rows = read_toml(paths.profiles_directory() / "bandwidths.toml")["memory"]
    assert all(row["bandwidth"] > 1e9 and row["basis"] in BANDWIDTH_BASES for row in rows)
    assert len({row["name"] for row in rows}) == len(rows)
