"""A Gemma 3n checkpoint as two lists of tensors to write and the metadata that goes with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from gguf import Keys

from edgekit.convert import keys
from edgekit.convert.checkpoint import Checkpoint
from edgekit.convert.gemma3.tokenizer import Tokenizer, added_tokens
from edgekit.convert.gemma3n import text, vision
from edgekit.convert.gemma3n.config import TextConfig, read_config
from edgekit.convert.model import Model
from edgekit.convert.names import EMBEDDINGS, HEAD, plain_name
from edgekit.convert.plan import TensorPlan
from edgekit.convert.section import Section
from edgekit.convert.tables import Part

_VISION = ("vision_tower.", "embed_vision.")
_AUDIO = ("audio_tower.", "embed_audio.")
_DEAF = "no ears: llama.cpp hears with no Gemma 3n, and its converter has no names for that tower"


class Gemma3n(Model):
    """E2B or E4B of Gemma 3n, without ears.

    Raises UnsupportedError for what llama.cpp cannot hold, FileError for an incomplete checkpoint.
    """

    # ggml computes depthwise convolutions by F16 kernels only, and Q8_0 leaves those at F16.
    unseen = ("F32", "BF16")

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__(checkpoint)
        self.config = read_config(checkpoint.config)
        self.tokenizer = Tokenizer(
            checkpoint.directory, checkpoint.config, self.config.vocabulary, added_tokens(checkpoint)
        )
        weights = [(plain_name(weight.name), weight) for weight in checkpoint.weights.values()]
        eyes = [weight for name, weight in weights if name.startswith(_VISION)]
        inside = [weight for name, weight in weights if not name.startswith((*_VISION, *_AUDIO))]
        self.warnings = [_DEAF] if len(weights) > len(eyes) + len(inside) else []
        part = Part(text.expected(self.config), inside, text.ARCHITECTURE)
        part.check()
        self.text = _plans(part, self.config)
        self._vision = Section("config.json", checkpoint.config).section("vision_config", vision.DEFAULTS)
        stem = next((weight.height for name, weight in weights if name == vision.STEM_BIAS), 0)
        found = vision.expected(self._vision, self.config.hidden_size, stem) if self._vision else {}
        self._eyes = Part(found, eyes, "projector for Gemma 3n")
        self.projector = self._eyes.plans

    @property
    def shared_kv(self) -> dict[str, str]:
        """Names of the weights that are never used, whether they exist or not, and why."""
        reason = "its layer takes keys and values from an earlier layer and never uses its own"
        embeddings = next(name for name in self.checkpoint.weights if plain_name(name) == EMBEDDINGS)
        return {f"{embeddings.removesuffix(EMBEDDINGS)}{name}": reason for name in text.unused_kv(self.config)}

    @property
    def has_projector(self) -> bool:
        """Say whether there is a vision tower that becomes a projector."""
        return self._vision is not None and bool(self.projector)

    def check_towers(self) -> None:
        """Raise FileError where the tower is not MobileNetV5: llama.cpp would crash on the file."""
        self._eyes.check()

    def text_metadata(self) -> dict[str, keys.Value]:
        """Return architecture, shape, tokenizer and template."""
        architecture = {Keys.General.ARCHITECTURE: keys.text(text.ARCHITECTURE)}
        return {**architecture, **text.metadata(self.config), **self.tokenizer.metadata}

    def projector_metadata(self) -> dict[str, keys.Value]:
        """Return the projector's architecture and shape."""
        assert self._vision is not None
        made = vision.metadata(self._vision, self.config.hidden_size, self.image_processor())
        return {Keys.General.ARCHITECTURE: keys.text("clip"), **made}


def _plans(part: Part, config: TextConfig) -> list[TensorPlan]:
    """Return what is written: tables with a row for every token, and matrices that belong together in one tensor."""
    single = [plan for plan in part.plans if plan.name not in text.STACKS.values()]
    tables = ("token_embd.weight", "per_layer_token_embd.weight")
    padded = [
        replace(plan, shape=(max(plan.height, config.vocabulary), *plan.shape[1:])) if plan.name in tables else plan
        for plan in single
    ]
    return (
        padded
        + _unused(part)
        + [_stack(part, stem, name, config.altup_inputs - 1) for stem, name in text.STACKS.items()]
    )


def _unused(part: Part) -> list[TensorPlan]:
    """Return zeros for keys and values that no layer uses and transformers 5 leaves out: llama.cpp wants them."""
    return [
        TensorPlan(expected.row.name, expected.shape, values=np.zeros(expected.shape, np.float32))
        for name, expected in part.missing()
        if name != HEAD
    ]


def _stack(part: Part, stem: str, name: str, count: int) -> TensorPlan:
    weights = [part.weights[f"{stem}{number}.weight"] for number in range(count)]
    return TensorPlan(name, (count, *weights[0].shape), weights[0], stacked=tuple(weights[1:]))
