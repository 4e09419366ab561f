"""Everything needed to run a model: made by pick or from a file, taken by the engine as it is."""

from dataclasses import dataclass
from pathlib import Path

from edgekit.fit.settings import OUTPUTS, Settings


@dataclass(frozen=True)
class Plan:
    """How to run one model; nothing in it is decided a second time."""

    model: Path
    projector: Path | None = None
    # The MTP drafter.
    drafter: Path | None = None
    # Tokens that the cache holds.
    context: int = 8192
    # Tokens per decode call; equal to ubatch so that a picture is never split (llama.cpp aborts otherwise).
    batch: int = 512
    ubatch: int = 512
    # Tokens of a batch whose logits are computed: the last one, and guesses of what follows it.
    outputs: int = OUTPUTS
    # None lets the engine take the machine's physical cores.
    threads: int | None = None
    batch_threads: int | None = None
    cache_type_k: str = "F16"
    cache_type_v: str = "F16"
    flash_attention: bool = True
    # llama.cpp's rearranged second copy of the weights: faster on some processors, double memory on all.
    repack: bool = True
    gpu_layers: int = 0
    # Accelerators that the layers are split over, in proportion of their free memory.
    gpus: int = 1

    @classmethod
    def of(cls, settings: Settings, model: Path, projector: Path | None, threads: int | None) -> "Plan":
        """Return the plan that runs a file with the settings that an estimate was made for."""
        shared = {name: value for name, value in vars(settings).items() if name in cls.__dataclass_fields__}
        return cls(model, projector, threads=threads, **shared)

    @property
    def settings(self) -> Settings:
        """Return what an estimate depends on besides the files."""
        return Settings(**{name: value for name, value in vars(self).items() if name in Settings.__dataclass_fields__})
