"""How a machine looks."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from edgekit.cli import output
from edgekit.hardware.machine import Accelerator, Machine

_SYSTEMS = {"Darwin": "macOS"}


def summary(machine: Machine) -> Text:
    """Return a machine in a line or two."""
    processor, memory = machine.processor, machine.memory
    name = machine.board or processor.model
    parts = [
        f"{name}, {processor.physical_cores} cores",
        f"{memory.available / output.GIB:.1f} of {memory.total / output.GIB:.1f} GiB free",
        *(_accelerator(one) for one in machine.accelerators),
    ]
    return Text.assemble((machine.name, "bold"), ": ", "; ".join(parts))


def table(machine: Machine) -> Table:
    """Return everything known about a machine, a row each."""
    grid = Table(box=None, pad_edge=False, show_header=False)
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    for name, value in _rows(machine):
        grid.add_row(name, value)
    return grid


def _rows(machine: Machine) -> list[tuple[str, str]]:
    processor, memory = machine.processor, machine.memory
    rows = [("Machine", f"{machine.name} ({_SYSTEMS.get(machine.system, machine.system)})")]
    if machine.board:
        rows.append(("Board", machine.board))
    if machine.container:
        rows.append(("Runs in", machine.container))
    small = f" ({processor.efficiency_cores} of them small)" if processor.efficiency_cores else ""
    cores = f"{processor.physical_cores} cores{small}, {processor.usable_threads} threads for us"
    rows += [
        ("Processor", f"{processor.model} ({processor.architecture}), {cores}"),
        ("Instructions", ", ".join(processor.features) or "none that llama.cpp looks for"),
        ("Memory", f"{output.size(memory.available)} free of {output.size(memory.total)}"),
    ]
    if memory.limit is not None:
        rows.append(("Limit", f"{output.size(memory.limit)}, set by the container"))
    if memory.swap_total:
        rows.append(("Swap", f"{output.size(memory.swap_free)} free of {output.size(memory.swap_total)}, not counted"))
    if memory.zram_total:
        free = f"{output.size(memory.zram_free)} free of {output.size(memory.zram_total)}"
        rows.append(("Zram", f"{free}, compressed in memory, not counted"))
    bandwidth = f"{machine.memory_bandwidth / 1e9:.1f} GB/s" if machine.memory_bandwidth else "not measured"
    rows.append(("Bandwidth", bandwidth + (f", {machine.bandwidth_basis}" if machine.bandwidth_basis else "")))
    rows += [("Accelerator", _accelerator(one)) for one in machine.accelerators] or [("Accelerator", "none found")]
    if machine.backend_devices:
        devices = ", ".join(f"{one.name} ({one.description})" for one in machine.backend_devices)
        rows.append(("llama.cpp lists", devices))
    if machine.disk_free is not None:
        rows.append(("Disk", f"{output.size(machine.disk_free)} free where models go"))
    return rows


def _accelerator(one: Accelerator) -> str:
    memory = f"{one.memory_total / output.GIB:.1f} GiB" if one.memory_total else "memory not known"
    shared = " of main memory" if one.shares_memory else ""
    return f"{one.name}, {memory}{shared}" + ("" if one.usable else ", not usable by this llama.cpp build")
