"""One way to run one file on one machine."""

from __future__ import annotations

from dataclasses import dataclass
from math import log2
from pathlib import Path

from edgekit.catalog.weights import weights
from edgekit.fit.estimate import Estimate, Load
from edgekit.fit.needs import Needs
from edgekit.fit.plan import Plan
from edgekit.fit.settings import Settings
from edgekit.fit.speed import Speed
from edgekit.hardware.machine import Machine

# Points of quality that a gigabyte more must bring: without it, BF16 would win over Q8_0 wherever there is room.
_WORTH_OF_A_GB = 0.02


@dataclass(frozen=True)
class Candidate:
    """A file with the best settings found for it, and what that takes."""

    load: Load
    settings: Settings
    memory: Estimate
    # Bytes missing; zero or less when it fits.
    shortfall: int
    decode: Speed
    prefill: Speed | None
    # Expected score in percent: published benchmarks less what the quantization costs.
    quality: float

    @property
    def fits(self) -> bool:
        """Return whether the machine has the memory."""
        return self.shortfall <= 0

    @property
    def name(self) -> str:
        """Return the catalog name: `gemma-4-E2B-it:Q4_K_M`."""
        return f"{self.load.variant.model}:{self.load.file.quantization}"

    @property
    def placement(self) -> str:
        """Return where the layers run: cpu, gpu or partial."""
        if not self.settings.gpu_layers:
            return "cpu"
        return "gpu" if self.settings.gpu_layers > self.load.variant.shape.num_hidden_layers else "partial"

    def is_usable(self, needs: Needs) -> bool:
        """Return whether it decodes as fast as the needs ask."""
        return self.decode.middle >= needs.pace.usable

    def value(self, needs: Needs) -> float:
        """Return quality in points with speed weighed in; speed alone where all are too slow."""
        if not self.is_usable(needs):
            return self.decode.middle
        speed = needs.pace.worth * log2(min(self.decode.middle, needs.pace.plenty))
        return self.quality + speed - _WORTH_OF_A_GB * weights(self.load.variant.shape, self.load.file).file / 1e9

    def rank(self, needs: Needs) -> tuple[bool, bool, bool, float, bool, int, bool]:
        """Return the key by which candidates are ordered, the best one highest."""
        enough = self.settings.context >= needs.enough_context
        return (
            self.fits,
            self.is_usable(needs),
            enough,
            self.value(needs),
            self.placement == "gpu",
            self.settings.context,
            self.settings.repack,
        )

    def plan(self, model: Path, machine: Machine, projector: Path | None = None) -> Plan:
        """Return what the engine needs to run this candidate from a file on disk."""
        return Plan(
            model=model,
            projector=projector,
            context=self.settings.context,
            batch=self.settings.batch,
            ubatch=self.settings.ubatch,
            threads=min(machine.processor.physical_cores, machine.processor.usable_threads),
            cache_type_k=self.settings.cache_type_k,
            cache_type_v=self.settings.cache_type_v,
            flash_attention=self.settings.flash_attention,
            repack=self.settings.repack,
            gpu_layers=self.settings.gpu_layers,
        )
