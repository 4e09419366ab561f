"""What a person wants of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Prefer = Literal["quality", "balanced", "speed"]


@dataclass(frozen=True)
class Pace:
    """How speed is weighed against quality, speeds in tokens per second."""

    # Slower than this is too slow.
    usable: float
    # Faster than this is worth nothing more.
    plenty: float
    # Points of quality that doubling the speed is worth in between.
    worth: float


# Silent reading takes about 240 words a minute (Brysbaert 2019), five tokens a second: balanced keeps up with the
# reader, quality lets one wait, speed suits tools and long thoughts. The worths are edgekit's own choice.
PACES: dict[Prefer, Pace] = {
    "quality": Pace(usable=2.0, plenty=10.0, worth=1.0),
    "balanced": Pace(usable=5.0, plenty=30.0, worth=3.0),
    "speed": Pace(usable=15.0, plenty=60.0, worth=6.0),
}

# Contexts to try when none is asked for, the largest first.
CONTEXTS = (262144, 131072, 65536, 32768, 16384, 8192, 4096, 2048)
# The most that is useful without a graphics card: a processor or integrated graphics take minutes to hours to read
# more, and the cache takes memory from other programs.
USEFUL_CONTEXT = 32768
# Less than this is "less context": a conversation with a document no longer fits.
USUAL_CONTEXT = 8192


@dataclass(frozen=True)
class Needs:
    """The wishes that choose between what fits."""

    context: int | None = None
    modalities: tuple[str, ...] = ("text",)
    prefer: Prefer = "balanced"

    @property
    def pace(self) -> Pace:
        """Return how speed counts."""
        return PACES[self.prefer]

    @property
    def enough_context(self) -> int:
        """Return the context that counts as enough."""
        return self.context or USUAL_CONTEXT

    @property
    def pictures(self) -> bool:
        """Return whether pictures or video frames are to be read."""
        return bool({"image", "video"} & set(self.modalities))

    def contexts(self, largest: int, *, on_card: bool) -> list[int]:
        """Return the contexts to try, the largest first, for a model whose own limit is `largest`."""
        if self.context:
            return [self.context]
        limit = largest if on_card else min(largest, USEFUL_CONTEXT)
        return [one for one in CONTEXTS if one <= limit]
