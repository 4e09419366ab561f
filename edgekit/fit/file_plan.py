"""Suit the plan for a file on disk to the machine, by the file's own header."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from edgekit.fit.budget import budget
from edgekit.fit.plan import Plan
from edgekit.fit.repack import repackable
from edgekit.gguf_header import Header
from edgekit.hardware.machine import Machine

# Cache, buffers and the process beside the weights; `edgekit pick` counts them one by one.
_HEADROOM = 1 << 30
# Read row by row, so it need not be resident.
_TABLE = "per_layer_token_embd.weight"


def suited(plan: Plan, header: Header, machine: Machine) -> Plan:
    """Return the plan with layers on a GPU that holds the whole file, else repacked only where the copy has room."""
    limits = budget(machine)
    table = header.tensors.get(_TABLE)
    resident = header.bytes - (table.bytes if table else 0) + _HEADROOM
    if limits.accelerator is not None and resident <= limits.gpu:
        return replace(plan, gpu_layers=_layers(header) + 1, repack=False)
    copy = repackable(_by_type(header), machine.processor)
    return replace(plan, gpu_layers=0, repack=bool(copy) and resident + copy <= limits.host)


def _layers(header: Header) -> int:
    count = header.keys.get(f"{header.text('general.architecture')}.block_count")
    return count if isinstance(count, int) else 0


def _by_type(header: Header) -> dict[str, int]:
    sizes: Counter[str] = Counter()
    for tensor in header.tensors.values():
        if tensor.name.startswith("blk."):
            sizes[tensor.type.name] += tensor.bytes
    return dict(sizes)
