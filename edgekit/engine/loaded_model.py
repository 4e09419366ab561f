"""What a conversation needs of a loaded model, whichever library computes it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from edgekit.engine.media import Picture, Sound
    from edgekit.engine.projector import MediaInput
    from edgekit.engine.prompt import Prompt
    from edgekit.engine.sampling import Sampling
    from edgekit.engine.vocabulary import Vocabulary
    from edgekit.fit.onnx_plan import OnnxPlan
    from edgekit.fit.plan import Plan


class LoadedModel(Protocol):
    """A model in this process, with what it has read; one thread at a time may use it."""

    @property
    def plan(self) -> Plan | OnnxPlan:
        """Return the plan that was opened."""

    @property
    def vocabulary(self) -> Vocabulary:
        """Return the model's tokens."""

    @property
    def model_path(self) -> Path:
        """Return the file or folder of the weights."""

    @property
    def name(self) -> str:
        """Return what the model is called."""

    @property
    def description(self) -> str:
        """Return the architecture, size and quantization."""

    @property
    def context(self) -> int:
        """Return how many tokens the cache holds."""

    @property
    def chat_template(self) -> str:
        """Return the Jinja template."""

    @property
    def takes_pictures(self) -> bool:
        """Return whether pictures can be encoded."""

    @property
    def takes_sound(self) -> bool:
        """Return whether sounds can be encoded."""

    @property
    def takes_thinking(self) -> bool:
        """Return whether the template can ask for a thought channel."""

    @property
    def takes_grammars(self) -> bool:
        """Return whether answers can be held to a grammar."""

    @property
    def media_hint(self) -> str:
        """Return what would let the model take pictures and sounds, to follow "takes no pictures"; may be empty."""

    def claim_load_seconds(self) -> float:
        """Return how long loading took, once."""

    def prepare(self, media: Picture | Sound) -> MediaInput:
        """Return how a picture or a sound stands in a prompt; UnsupportedError where the model takes none."""

    def read(self, prompt: Prompt, stop: threading.Event | None = None) -> Iterator[int]:
        """Compute a prompt; yields how many tokens are in the cache, first those that were there already."""

    def write(self, sampling: Sampling, stop: threading.Event | None = None) -> Iterator[int]:
        """Continue what was read, token by token; the token that ends the turn comes too, as the last."""

    def save_state(self, name: str, prompt: Prompt) -> bool:
        """Keep what was read under a conversation's name, where that is faster than reading again; returns whether."""

    def load_state(self, name: str) -> bool:
        """Go on from a state that was kept; returns whether there is one that this model can go on from."""

    def close(self) -> None:
        """Give the memory back; harmless when done twice."""
