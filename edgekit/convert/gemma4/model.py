"""A Gemma 4 checkpoint as two lists of tensors to write and the metadata that goes with them."""

from __future__ import annotations

from typing import Any

from gguf import Keys

from edgekit.convert import keys
from edgekit.convert.checkpoint import Checkpoint, Weight, read_json
from edgekit.convert.gemma4 import audio, text, vision
from edgekit.convert.gemma4.config import read_config
from edgekit.convert.gemma4.tokenizer import Tokenizer
from edgekit.convert.plan import TensorPlan
from edgekit.errors import FileError, UnsupportedError


class Gemma4:
    """What llama.cpp needs to know of a checkpoint of the E architecture.

    Raises UnsupportedError for another architecture, FileError for an incomplete checkpoint.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self.config = read_config(checkpoint.config)
        self.tokenizer = Tokenizer(checkpoint.directory, checkpoint.config)
        self.text, self.projector = self._plans()

    @property
    def shared_kv(self) -> dict[str, str]:
        """Names of the weights that are never used, whether they exist or not, and why."""
        config = self.config.text
        reason = "its layer takes keys and values from an earlier layer and never uses its own"
        return {
            f"{text.PREFIX}layers.{layer}.self_attn.{part}_proj.weight": reason
            for layer in range(config.layers)
            if config.shares_kv(layer)
            for part in "kv"
        }

    @property
    def has_template(self) -> bool:
        """Say whether the checkpoint brings a chat template, without which nobody can talk to the model."""
        return Keys.Tokenizer.CHAT_TEMPLATE in self.tokenizer.metadata

    def check_towers(self) -> None:
        """Raise FileError where a tower that config.json promises lacks a tensor: llama.cpp would crash on the file."""
        towers = ((vision.NAMING, self.config.vision), (audio.NAMING, self.config.audio))
        found = {plan.name for plan in self.projector}
        expected = (names for naming, config in towers if config for names in naming.expected(config))
        missing = next((name for written, name in expected if written not in found), None)
        if missing is not None:
            raise FileError(f"the checkpoint has no {missing}: download the whole checkpoint again")

    def text_metadata(self) -> dict[str, keys.Value]:
        """Return architecture, shape, tokenizer and template."""
        architecture = {Keys.General.ARCHITECTURE: keys.text(text.ARCHITECTURE)}
        return {**architecture, **text.metadata(self.config.text), **self.tokenizer.metadata}

    def projector_metadata(self) -> dict[str, keys.Value]:
        """Return the projector's architecture and shape."""
        config = self.config
        assert config.vision is not None
        width = config.text.hidden_size
        made = {Keys.General.ARCHITECTURE: keys.text("clip")}
        made |= vision.metadata(config.vision, config.patch_size, width, self._image_processor())
        return made | (audio.metadata(config.audio, width) if config.audio else {})

    def _plans(self) -> tuple[list[TensorPlan], list[TensorPlan]]:
        inside: list[Weight] = []
        projector: list[TensorPlan] = []
        for weight in self._checkpoint.weights.values():
            if text.is_text(weight.name):
                inside.append(weight)
            elif weight.name.startswith(vision.PREFIXES):
                projector.append(vision.tensor(weight, self.config.patch_size))
            elif weight.name.startswith(audio.PREFIXES):
                projector.append(audio.tensor(weight))
            else:
                raise UnsupportedError(
                    f"the checkpoint's {weight.name} belongs to no part of a Gemma 4 that edgekit knows"
                )
        return list(text.plans(inside, self.config.text, len(self.tokenizer.tokens))), projector

    def _image_processor(self) -> dict[str, Any]:
        """Read the image processor's settings; transformers 5 nests them in the processor's."""
        found: dict[str, Any] = {}
        for name in ("preprocessor_config.json", "processor_config.json"):
            path = self._checkpoint.directory / name
            if path.is_file():
                settings = read_json(path, "copy it from the base model")
                nested = settings.get("image_processor")
                found |= settings | (nested if isinstance(nested, dict) else {})
        return found
