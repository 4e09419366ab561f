"""What this machine is."""

from __future__ import annotations

import platform
import shutil
from pathlib import Path

from edgekit import paths
from edgekit.hardware.accelerators import read_accelerators
from edgekit.hardware.backends import BACKENDS, built_backends
from edgekit.hardware.bandwidth import known_bandwidth, measured_bandwidth
from edgekit.hardware.board import read_board, read_container
from edgekit.hardware.machine import Accelerator, Machine, Memory
from edgekit.hardware.memory import read_memory
from edgekit.hardware.processor import live_affinity, read_processor


def probe(*, measure: bool = False) -> Machine:
    """Return this machine; with `measure`, its memory bandwidth is measured unless it is already known."""
    memory = read_memory()
    processor = read_processor(affinity=live_affinity())
    bandwidth = known_bandwidth(processor, memory)
    if bandwidth is None and measure:
        bandwidth = measured_bandwidth(processor, memory)
    return describe(Path("/"), memory_bandwidth=bandwidth)


def describe(root: Path, *, backends: frozenset[str] | None = None, memory_bandwidth: float | None = None) -> Machine:
    """Return the machine whose system files lie under `root`."""
    live = root == Path("/")
    memory = read_memory(root)
    accelerators = read_accelerators(memory, built_backends() if backends is None else backends, root)
    return Machine(
        name=platform.node() if live else root.name,
        memory=memory,
        processor=read_processor(root, live_affinity() if live else None),
        accelerators=accelerators,
        board=read_board(root),
        container=read_container(root),
        memory_bandwidth=memory_bandwidth,
        bandwidth_basis="measured" if memory_bandwidth else None,
        disk_free=_disk_free() if live else None,
        notes=tuple(_notes(memory, accelerators)),
    )


def _disk_free() -> int | None:
    folder = paths.data_directory()
    while not folder.exists():
        folder = folder.parent
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _notes(memory: Memory, accelerators: tuple[Accelerator, ...]) -> list[str]:
    notes = []
    if memory.limit is not None:
        notes.append("A container limits the memory; the numbers above are the container's.")
    for one in accelerators:
        if not one.usable:
            wanted = " or ".join(sorted(BACKENDS[one.vendor]))
            notes.append(f"{one.name}: this llama.cpp build cannot drive it; a build with {wanted} could.")
    return notes
