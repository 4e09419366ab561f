"""How an estimate's lines look."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from edgekit.cli import output
from edgekit.fit.budget import Budget
from edgekit.fit.estimate import Estimate


def table(memory: Estimate) -> Table:
    """Return the lines of an estimate, their sum last."""
    listed = Table("Memory", "Where", box=None, pad_edge=False, header_style="dim")
    listed.add_column("Size", justify="right")
    listed.add_column("At once", justify="right")
    for line in memory.lines:
        listed.add_row(line.what.replace("_", " "), line.where, output.size(line.bytes), output.size(line.needed))
    needed = output.size(memory.host_needed + memory.gpu)
    listed.add_row("total", "", output.size(memory.total), needed, style="bold")
    return listed


def as_json(memory: Estimate, limits: Budget) -> dict[str, Any]:
    """Return an estimate as plain data, sizes in bytes."""
    return {
        "total": memory.total,
        "needed": memory.host_needed + memory.gpu,
        "host": memory.host,
        "gpu": memory.gpu,
        "budget": {"host": limits.host, "gpu": limits.gpu},
        "lines": [
            {"what": line.what, "bytes": line.bytes, "where": line.where, "needed": line.needed}
            for line in memory.lines
        ],
    }
