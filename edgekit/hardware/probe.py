"""What this machine is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from edgekit.hardware.accelerators import read_accelerators
from edgekit.hardware.backends import built_backends
from edgekit.hardware.bandwidth import known_bandwidth, measured_bandwidth
from edgekit.hardware.board import read_board, read_container
from edgekit.hardware.host import Host
from edgekit.hardware.kept import is_busy
from edgekit.hardware.kernel_rates import known_kernels, measured_kernels
from edgekit.hardware.machine import Accelerator, Machine, Memory
from edgekit.hardware.memory import read_memory
from edgekit.hardware.processor import read_processor
from edgekit.hardware.published import published_bandwidth
from edgekit.hardware.this_host import this_host

_BUSY = "Other programs are computing: speeds are rough, and will be measured when the machine is quiet."


def probe(
    *, measure: bool = False, progress: Callable[[float, float, str], None] = lambda done, total, text: None
) -> Machine:
    """Return this machine; with `measure`, what is not known yet of its memory and of llama.cpp's kernels is timed."""
    machine = describe(this_host(), built_backends())
    processor, memory = machine.processor, machine.memory
    bandwidth, kernels = known_bandwidth(processor, memory), known_kernels(processor, memory)
    if bandwidth is None and measure:
        progress(0, 1, "memory")
        bandwidth = measured_bandwidth(processor, memory)
    if kernels is None and measure:
        kernels = measured_kernels(processor, memory, lambda done, total: progress(done, total, "llama.cpp's kernels"))
    return replace(
        machine,
        memory_bandwidth=bandwidth or machine.memory_bandwidth,
        bandwidth_basis="measured" if bandwidth else machine.bandwidth_basis,
        kernels=kernels,
        notes=machine.notes + ((_BUSY,) if measure and kernels is None and is_busy() else ()),
    )


def describe(host: Host, backends: frozenset[str]) -> Machine:
    """Return the machine that a host's files and answers describe, with a llama.cpp build of these backends."""
    memory = read_memory(host)
    accelerators = read_accelerators(host, memory, backends)
    processor, board = read_processor(host), read_board(host)
    bandwidth, basis = published_bandwidth(board, processor.model) or (None, None)
    return Machine(
        name=host.name or host.root.name,
        memory=memory,
        processor=processor,
        accelerators=accelerators,
        board=board,
        container=read_container(host),
        memory_bandwidth=bandwidth,
        bandwidth_basis=basis,
        disk_free=host.disk_free,
        notes=tuple(_notes(memory, accelerators)),
        system=host.system,
    )


def _notes(memory: Memory, accelerators: tuple[Accelerator, ...]) -> list[str]:
    notes = []
    if memory.limit is not None:
        notes.append("A container limits the memory; the numbers above are the container's.")
    idle = (one for one in accelerators if one.install)
    return notes + [f"{one.name}: this llama.cpp build cannot drive it; one that can: {one.install}" for one in idle]
