"""Arm's cores by their part numbers: Linux has no model name there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_ARM = "0x41"
# util-linux, sys-utils/lscpu-arm.c; smallest core first.
_PARTS = {
    "0xd03": "Cortex-A53",
    "0xd05": "Cortex-A55",
    "0xd46": "Cortex-A510",
    "0xd80": "Cortex-A520",
    "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72",
    "0xd09": "Cortex-A73",
    "0xd0a": "Cortex-A75",
    "0xd0b": "Cortex-A76",
    "0xd0d": "Cortex-A77",
    "0xd41": "Cortex-A78",
    "0xd42": "Cortex-A78AE",
    "0xd4b": "Cortex-A78C",
    "0xd47": "Cortex-A710",
    "0xd4d": "Cortex-A715",
    "0xd81": "Cortex-A720",
    "0xd87": "Cortex-A725",
    "0xd44": "Cortex-X1",
    "0xd4c": "Cortex-X1C",
    "0xd48": "Cortex-X2",
    "0xd4e": "Cortex-X3",
    "0xd82": "Cortex-X4",
    "0xd85": "Cortex-X925",
    "0xd0c": "Neoverse-N1",
    "0xd49": "Neoverse-N2",
    "0xd40": "Neoverse-V1",
    "0xd4f": "Neoverse-V2",
    "0xd84": "Neoverse-V3",
}


def arm_model(entries: Sequence[Mapping[str, str]]) -> str | None:
    """Return the names of the cores in /proc/cpuinfo's entries, the largest kind first; None where none is known."""
    parts = {entry.get("CPU part", "") for entry in entries if entry.get("CPU implementer") == _ARM}
    return ", ".join(name for part, name in reversed(_PARTS.items()) if part in parts) or None
