"""Machine profiles: those that ship are sound, and damaged ones are refused by name."""

from __future__ import annotations

import pytest

from edgekit import paths
from edgekit.errors import FileError
from edgekit.hardware.profile import profile_names, read_profile

SOUND = (paths.profiles_directory() / "machines" / "laptop-16gb.toml").read_text()


@pytest.mark.parametrize("name", profile_names())
def test_profiles_that_ship_can_be_read(name):
    assert read_profile(name).memory.available > 0


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("memory_bandwidth = 51200000000", "memory_bandwidth = 0", "memory_bandwidth"),
        ("memory_bandwidth = 51200000000", 'memory_bandwidth = "x"', "memory_bandwidth"),
        ("memory_bandwidth = 51200000000", "memory_bandwidth = []", "memory_bandwidth"),
        ('"peak"', '"guess"', "bandwidth_basis"),
        ("available = 13529146982", "available = nan", "memory.available"),
        ("available = 13529146982", "available = 99999999999999", "more than memory.total"),
        ("physical_cores = 8", 'physical_cores = "x"', "physical_cores"),
        ("usable_threads = 16", "usable_threads = []", "usable_threads"),
        ("[memory]", "[memories]", "memory"),
        ("[memory]", "memory = 5\n[other]", "no machine profile"),
    ],
)
def test_damaged_profiles_are_refused(old, new, named, tmp_path):
    assert old in SOUND
    path = tmp_path / "machine.toml"
    path.write_text(SOUND.replace(old, new))
    with pytest.raises(FileError, match=named):
        read_profile(str(path))
