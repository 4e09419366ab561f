"""Everything needed to run a model: made by pick or from a file, taken by the engine as it is."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Plan:
    """How to run one model; nothing in it is decided a second time."""

    model: Path
    projector: Path | None = None
    # Tokens that the cache holds.
    context: int = 8192
    # Tokens per decode call; equal to ubatch so that a picture is never split (llama.cpp aborts otherwise).
    batch: int = 512
    ubatch: int = 512
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
