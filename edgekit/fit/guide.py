"""The published "Pick a Model" table (profiles/guide.toml)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgekit import paths
from edgekit.hardware.machine import Machine
from edgekit.toml import read_toml

_GIB = 1 << 30


@dataclass(frozen=True)
class Advice:
    """A row of the table, or its silence."""

    memory_gb: int
    variant: str | None
    quantization: str | None
    throughput: str
    sentence: str

    def allows(self, variant: str, quantization: str) -> bool:
        """Return whether a file is what the table means."""
        four_bit = quantization.removeprefix("UD-").startswith("Q4")
        wanted = four_bit if self.quantization == "4-bit" else quantization == self.quantization
        return variant == self.variant and wanted


def advice(machine: Machine) -> Advice:
    """Return what the table says for a machine: by its accelerator's memory, else by its main memory."""
    table = read_toml(paths.profiles_directory() / "guide.toml")
    sizes = [one.memory_total for one in machine.accelerators if one.usable] or [machine.memory.total]
    memory = round(max(sizes) / _GIB)
    row = next((row for row in table["rows"] if _holds(row, memory)), None)
    throughput = table["throughput"]["variant"]
    if row is None:
        return Advice(
            memory,
            None,
            None,
            throughput,
            f"The published table says nothing about {memory} GB; for throughput it names {throughput}.",
        )
    sentence = f"The published table says {row['variant']} ({row['quantization']}) for {memory} GB."
    return Advice(memory, row["variant"], row["quantization"], throughput, sentence)


def _holds(row: dict[str, Any], memory: int) -> bool:
    return bool(row["at_least"] <= memory <= row.get("at_most", memory) and memory < row.get("below", memory + 1))
