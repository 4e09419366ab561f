"""Nested control groups as properties: whatever their limits, the tightest wins, and cache counts for nothing."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.hardware.host import Host
from edgekit.hardware.memory import read_memory

KIB, GIB = 1 << 10, 1 << 30
HOST, FREE = 64 * GIB, 60 * GIB
# Version 1's way of saying that there is no limit: the largest number of pages.
UNLIMITED = 9223372036854771712
sizes = st.integers(0, HOST * 2)
# Of a group: its limit or none, what is in use, how much of that is page cache that can be dropped.
groups = st.tuples(st.none() | sizes, sizes, st.integers(0, HOST))
Group = tuple[int | None, int, int]


def lay_out(root: Path, nested: list[Group], version: int) -> Host:
    """Write groups from the outermost to the process's own, with the names that each version gives their files."""
    place = "/".join(f"group{level}" for level in range(len(nested)))
    mount = root / "sys/fs/cgroup" / ("memory" if version == 1 else "")
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/meminfo").write_text(
        f"MemTotal: {HOST // KIB} kB\nMemFree: {FREE // KIB} kB\nMemAvailable: {FREE // KIB} kB\n"
    )
    (root / "proc/self/cgroup").write_text(f"9:memory:/{place}\n" if version == 1 else f"0::/{place}\n")
    for level, (limit, used, cache) in enumerate(nested):
        folder = mount.joinpath(*(f"group{above}" for above in range(level + 1)))
        folder.mkdir(parents=True)
        if version == 1:
            (folder / "memory.limit_in_bytes").write_text(f"{UNLIMITED if limit is None else limit}\n")
            (folder / "memory.usage_in_bytes").write_text(f"{used}\n")
            (folder / "memory.stat").write_text(f"cache 1\ninactive_file 7\ntotal_inactive_file {cache}\n")
        else:
            (folder / "memory.max").write_text(f"{'max' if limit is None else limit}\n")
            (folder / "memory.current").write_text(f"{used}\n")
            (folder / "memory.stat").write_text(f"anon 1\nfile 2\ninactive_file {cache}\n")
    return Host(root)


@pytest.mark.parametrize("version", [1, 2])
@settings(max_examples=60, deadline=None)
@given(nested=st.lists(groups, max_size=4))
def test_the_tightest_of_nested_limits_wins(nested: list[Group], version: int) -> None:
    with TemporaryDirectory() as folder:
        memory = read_memory(lay_out(Path(folder), nested, version))
    binding = [(limit, used, cache) for limit, used, cache in nested if limit is not None and limit < HOST]
    assert memory.limit == min((limit for limit, _, _ in binding), default=None)
    assert memory.total == min([HOST, *(limit for limit, _, _ in binding)])
    room = [max(0, limit - max(0, used - cache)) for limit, used, cache in binding]
    assert memory.available == min([FREE, *room])
    assert 0 <= memory.available <= memory.total


@settings(max_examples=40, deadline=None)
@given(limit=st.integers(GIB, HOST - 1), used=st.integers(0, GIB), cache=st.integers(0, GIB), more=st.integers(0, GIB))
def test_reading_a_file_takes_no_memory_away(limit: int, used: int, cache: int, more: int) -> None:
    with TemporaryDirectory() as before, TemporaryDirectory() as after:
        first = read_memory(lay_out(Path(before), [(limit, used + cache, cache)], 2))
        second = read_memory(lay_out(Path(after), [(limit, used + cache + more, cache + more)], 2))
    assert first == second
