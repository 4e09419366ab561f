"""One way to run one file on one machine."""

from __future__ import annotations

from dataclasses import dataclass
from math import log2
from pathlib import Path

from edgekit.catalog.weights import weights
from edgekit.fit.budget import Budget
from edgekit.fit.estimate import Estimate, Load
from edgekit.fit.needs import USEFUL_CONTEXT, USUAL_CONTEXT, Needs
from edgekit.fit.plan import Plan
from edgekit.fit.settings import Settings
from edgekit.fit.speed import Speed
from edgekit.hardware.machine import Machine

# Points of quality that a gigabyte of weights must bring. In main memory, which other programs want too, the largest
# file that fits is rarely the best one; on a graphics card it only keeps BF16 from winning over Q8_0.
_WORTH_OF_A_GB = 0.15
_WORTH_OF_A_GB_ON_THE_CARD = 0.02
# Points that a doubled context is worth, from the usual one to a long document.
_WORTH_OF_CONTEXT = 1.0
# Points that every layer on an accelerator is worth: prompts, pictures and sound are read many times faster there.
_WORTH_OF_ACCELERATION = 2.0
# Points that a cache at F16 is worth: more than context and speed gain by a quantized one, so that it is taken only
# where it makes something fit. What it costs in answers is small.
_WORTH_OF_A_FULL_CACHE = 2.5


@dataclass(frozen=True)
class Candidate:
    """A file with the best settings found for it, and what that takes."""

    load: Load
    settings: Settings
    memory: Estimate
    limits: Budget
    # Bytes on each accelerator of the budget.
    parts: tuple[int, ...]
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
    def fits_accelerators(self) -> bool:
        """Return whether the accelerators, if any take part, have the memory."""
        return all(part <= limit for part, limit in zip(self.parts, self.limits.gpus, strict=True))

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

    @property
    def quantized_cache(self) -> bool:
        """Return whether the KV cache is quantized."""
        return self.settings.cache_type_k != "F16"

    @property
    def fill(self) -> float:
        """Return how much of the tightest memory it takes; above one it does not fit."""
        return self.limits.share(self.memory, self.parts)

    def is_usable(self, needs: Needs) -> bool:
        """Return whether it decodes as fast as the needs ask."""
        return self.decode.middle >= needs.pace.usable

    def value(self, needs: Needs) -> float:
        """Return quality in points with all else weighed in; the speed alone where all are too slow."""
        if not self.is_usable(needs):
            return self.decode.middle
        speed = needs.pace.worth * log2(min(self.decode.middle, needs.pace.plenty))
        layers = self.load.variant.shape.num_hidden_layers + 1
        accelerated = _WORTH_OF_ACCELERATION * self.settings.gpu_layers / layers
        return self.quality + speed + accelerated + self._worth_of_context() - self._worth_of_memory()

    def _worth_of_context(self) -> float:
        useful = min(max(self.settings.context, USUAL_CONTEXT), USEFUL_CONTEXT)
        full = 0 if self.quantized_cache else _WORTH_OF_A_FULL_CACHE
        return _WORTH_OF_CONTEXT * log2(useful / USUAL_CONTEXT) + full

    def _worth_of_memory(self) -> float:
        on_card = self.placement == "gpu" and not self.limits.unified
        gigabytes = weights(self.load.variant.shape, self.load.file).file / 1e9
        return gigabytes * (_WORTH_OF_A_GB_ON_THE_CARD if on_card else _WORTH_OF_A_GB)

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
        threads = min(machine.processor.physical_cores, machine.processor.usable_threads)
        return Plan.of(self.settings, model, projector, threads)
