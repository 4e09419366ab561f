"""How a model would be run: what an estimate depends on besides the file."""

from __future__ import annotations

from dataclasses import dataclass

# The last token and seven guesses of what follows it (engine/drafting.py).
OUTPUTS = 8


@dataclass(frozen=True)
class Settings:
    """Context, batch, cache and placement, in llama.cpp's terms."""

    context: int = 8192
    batch: int = 512
    ubatch: int = 512
    cache_type_k: str = "F16"
    cache_type_v: str = "F16"
    flash_attention: bool = True
    # llama.cpp's C default is True and costs 5 to 40 times the cache; edgekit never sets it.
    swa_full: bool = False
    sequences: int = 1
    unified: bool = True
    # Outputs per decode call: edgekit asks for the logits of the last token and of guesses only.
    outputs: int = OUTPUTS
    # llama.cpp's second, rearranged copy of the weights on the processor.
    repack: bool = False
    # Layers on the accelerator: the output matrix first, then the layers from the last one down.
    gpu_layers: int = 0
    # Accelerators that the layers are split over.
    gpus: int = 1

    @property
    def tokens_at_once(self) -> int:
        """Return how many tokens llama.cpp computes together: never more than were asked for as context."""
        return min(self.context, self.batch, self.ubatch)
