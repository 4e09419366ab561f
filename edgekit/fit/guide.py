"""The published "Pick a Model" table (profiles/guide.toml)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgekit import paths
from edgekit.fit.needs import Needs
from edgekit.hardware.machine import Machine
from edgekit.toml import read_toml

_GIB = 1 << 30


@dataclass(frozen=True)
class Advice:
    """A row of the table, or its silence."""

    # Graphics memory that the table was asked about; main memory where there is none.
    memory_gb: int
    # None where the table is silent.
    variant: str | None
    # "4-bit" or a quantization; None where the table names a variant only.
    quantization: str | None
    # The variant for high throughput, whatever the memory.
    throughput: str
    sentence: str

    def allows(self, variant: str, quantization: str) -> bool:
        """Return whether a file is what the table means."""
        if self.quantization == "4-bit":
            return variant == self.variant and quantization.removeprefix("UD-").startswith("Q4")
        return variant == self.variant and self.quantization in (None, quantization)


def advice(machine: Machine, needs: Needs | None = None) -> Advice:
    """Return what the table says for a machine: by its graphics memory, else by its main memory.

    Where speed is preferred, its row "High throughput" holds, which names no memory.
    """
    table = read_toml(paths.profiles_directory() / "guide.toml")
    throughput = table["throughput"]["variant"]
    memory, kind = _memory(machine)
    if needs and needs.prefer == "speed":
        sentence = f"The published table says {throughput} for high throughput; it names no memory and no quantization."
        return Advice(memory, throughput, None, throughput, sentence)
    row = next((row for row in table["rows"] if _holds(row, memory)), None)
    if row is None:
        silence = f"The published table says nothing about {memory} GB{kind}; for throughput it names {throughput}."
        return Advice(memory, None, None, throughput, silence)
    sentence = f"The published table says {row['variant']} ({row['quantization']}) for {memory} GB{kind}."
    return Advice(memory, row["variant"], row["quantization"], throughput, sentence)


def _memory(machine: Machine) -> tuple[int, str]:
    usable = [one for one in machine.accelerators if one.usable and one.memory_total]
    discrete = [one.memory_total for one in usable if not one.shares_memory]
    if discrete:
        return round(sum(discrete) / _GIB), ""
    shared = max((one.memory_total for one in usable), default=0)
    if shared:
        return round(shared / _GIB), ""
    return round(machine.memory.total / _GIB), " (it means graphics memory; this is main memory)"


def _holds(row: dict[str, Any], memory: int) -> bool:
    return bool(row["at_least"] <= memory <= row.get("at_most", memory) and memory < row.get("below", memory + 1))
