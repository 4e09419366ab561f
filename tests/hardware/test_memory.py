"""Main memory under every kind of container limit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.hardware.memory import read_memory
from edgekit.hardware.this_host import this_host

GIB = 1 << 30
MIB = 1 << 20


def test_without_a_limit_the_kernels_own_figures_stand(machine_host):
    memory = read_memory(machine_host("raspberry-pi-5-8gb"))
    assert memory.total == 8255536 * 1024
    assert memory.available == 7612340 * 1024
    assert memory.limit is None
    assert memory.swap_total == memory.swap_free == 204784 * 1024


def test_a_board_without_the_memory_controller_has_no_limit(machine_host):
    memory = read_memory(machine_host("raspberry-pi-4-4gb"))
    assert (memory.total, memory.limit) == (3884360 * 1024, None)


def test_the_tightest_of_nested_limits_counts_and_page_cache_does_not(machine_host):
    memory = read_memory(machine_host("container-2gb-nested"))
    assert memory.limit == memory.total == 2 * GIB
    # 2 GiB less what is in use, of which 1,288,490,188 bytes are cache that can be dropped.
    assert memory.available == 2 * GIB - (1610612736 - 1288490188)


def test_a_cgroup_namespace_shows_the_limit_at_the_root(machine_host):
    memory = read_memory(machine_host("container-v2-namespace"))
    assert memory.limit == 4 * GIB
    assert memory.available == 4 * GIB - 256 * MIB


def test_version_1_limits_are_found_where_the_path_is_the_hosts(machine_host):
    memory = read_memory(machine_host("container-v1"))
    assert memory.limit == 3 * GIB
    assert memory.available == 2 * GIB


def test_version_1_writes_no_limit_as_a_huge_number(machine_host):
    memory = read_memory(machine_host("unlimited-v1"))
    assert (memory.total, memory.available, memory.limit) == (16384000 * 1024, 12000000 * 1024, None)


@pytest.mark.parametrize(("word", "limit"), [("max", None), ("0", 0), ("1073741824", GIB)])
def test_max_means_no_limit(machine_host, word, limit):
    host = machine_host("container-v2-namespace")
    (host.root / "sys/fs/cgroup/memory.max").write_text(word + "\n", encoding="utf-8")
    assert read_memory(host).limit == limit


def test_a_container_over_its_limit_has_nothing_left(machine_host):
    host = machine_host("container-v2-namespace")
    (host.root / "sys/fs/cgroup/memory.max").write_text(f"{100 * MIB}\n", encoding="utf-8")
    assert read_memory(host).available == 0


def test_without_proc_psutil_answers(tmp_path):
    import psutil

    memory = read_memory(replace(this_host(), root=tmp_path))
    assert memory.total == psutil.virtual_memory().total
    assert 0 < memory.available <= memory.total
