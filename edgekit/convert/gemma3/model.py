"""A Gemma 3 checkpoint as two lists of tensors to write and the metadata that goes with them."""

from __future__ import annotations

from dataclasses import replace

from gguf import Keys

from edgekit.convert import keys
from edgekit.convert.checkpoint import Checkpoint
from edgekit.convert.gemma3 import text, vision
from edgekit.convert.gemma3.config import read_config
from edgekit.convert.gemma3.tokenizer import Tokenizer, added_tokens
from edgekit.convert.model import Model
from edgekit.convert.names import plain_name
from edgekit.convert.tables import Part

_TOWERS = ("vision_tower.", "multi_modal_projector.")


class Gemma3(Model):
    """Any size of Gemma 3, with or without its vision tower.

    Raises UnsupportedError for what llama.cpp cannot hold, FileError for an incomplete checkpoint.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__(checkpoint)
        self.config = read_config(checkpoint.config)
        shape = self.config.text
        self.tokenizer = Tokenizer(checkpoint.directory, checkpoint.config, shape.vocabulary, added_tokens(checkpoint))
        weights = checkpoint.weights.values()
        towers = [weight for weight in weights if plain_name(weight.name).startswith(_TOWERS)]
        part = Part(text.expected(shape), [weight for weight in weights if weight not in towers], text.ARCHITECTURE)
        part.check()
        # llama.cpp wants no more rows than there are tokens.
        self.text = [
            replace(plan, shape=(min(plan.height, shape.vocabulary), *plan.shape[1:]))
            if plan.name == "token_embd.weight"
            else plan
            for plan in part.plans
        ]
        eyes = vision.expected(self.config.vision, shape.hidden_size) if self.config.vision else {}
        self._towers = Part(eyes, towers, "projector for Gemma 3")
        self.projector = self._towers.plans

    @property
    def has_projector(self) -> bool:
        """Say whether there are towers that become a projector."""
        return self.config.vision is not None and bool(self.projector)

    def check_towers(self) -> None:
        """Raise FileError where a tower is not what config.json promises: llama.cpp would crash on the file."""
        self._towers.check()

    def text_metadata(self) -> dict[str, keys.Value]:
        """Return architecture, shape, tokenizer and template."""
        architecture = {Keys.General.ARCHITECTURE: keys.text(text.ARCHITECTURE)}
        return {**architecture, **text.metadata(self.config.text), **self.tokenizer.metadata}

    def projector_metadata(self) -> dict[str, keys.Value]:
        """Return the projector's architecture and shape."""
        assert self.config.vision is not None
        made = vision.metadata(self.config.vision, self.config.text.hidden_size, self.image_processor())
        return {Keys.General.ARCHITECTURE: keys.text("clip"), **made}
