"""A Gemma 4 checkpoint as two lists of tensors to write and the metadata that goes with them."""

from __future__ import annotations

from gguf import GGUFValueType, Keys

from edgekit.convert import keys
from edgekit.convert.checkpoint import Checkpoint, Weight, read_json
from edgekit.convert.gemma4 import audio, text, unified, vision
from edgekit.convert.gemma4.config import Config, read_config
from edgekit.convert.gemma4.tokenizer import Tokenizer
from edgekit.convert.model import Model
from edgekit.convert.names import EMBEDDINGS, plain_name
from edgekit.convert.tables import Expected, Part
from edgekit.errors import FileError

_TOWERS = ("vision_tower.", "vision_embedder.", "embed_vision.", "audio_tower.", "embed_audio.")
# Of drafters that rank clusters of tokens first: llama.cpp's converter leaves them out.
_MASKED = "masked_embedding."
_WITHOUT_MASK = "without its clusters of tokens, for which llama.cpp has no use: it drafts over the whole vocabulary"
# The gguf package's table of keys has it since 0.20.
_SUPPRESSED = "tokenizer.ggml.suppress_tokens"


class Gemma4(Model):
    """Any size of Gemma 4, with or without towers, or a drafter for one.

    Raises UnsupportedError for what llama.cpp cannot hold, FileError for an incomplete checkpoint.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__(checkpoint)
        self.config = read_config(checkpoint.config)
        self.kind = "drafter" if self.config.is_drafter else "text"
        self.tokenizer = Tokenizer(checkpoint.tokenizer_directory, checkpoint.config)
        inside, towers = self._sorted()
        part = text.part(inside, self.config.text)
        part.check()
        self._check_added_tokens(part)
        self.text = text.plans(part, self.config.text, len(self.tokenizer.tokens))
        self._towers = Part(_towers(self.config), towers, "projector for Gemma 4")
        self.projector = self._towers.plans

    @property
    def shared_kv(self) -> dict[str, str]:
        """Names of the weights that are never used, whether they exist or not, and why."""
        reason = "its layer takes keys and values from an earlier layer and never uses its own"
        embeddings = next(name for name in self.checkpoint.weights if plain_name(name) == EMBEDDINGS)
        prefix = embeddings.removesuffix(EMBEDDINGS)
        return {f"{prefix}{name}": reason for name in text.unused_kv(self.config.text)}

    @property
    def has_projector(self) -> bool:
        """Say whether there are towers that become a projector."""
        return self.config.vision is not None and bool(self.projector)

    def check_towers(self) -> None:
        """Raise FileError where a tower is not what config.json promises: llama.cpp would crash on the file."""
        self._towers.check()

    @property
    def has_template(self) -> bool:
        """See Model; a shape that only llama.cpp cannot compute is no matter here."""
        return Keys.Tokenizer.CHAT_TEMPLATE in self.tokenizer.metadata

    def text_metadata(self) -> dict[str, keys.Value]:
        """Return architecture, shape, tokenizer and template."""
        architecture = {Keys.General.ARCHITECTURE: keys.text(text.architecture(self.config.text))}
        made = {**architecture, **text.metadata(self.config.text), **self.tokenizer.metadata}
        suppressed = self._suppressed() if self.config.unified and not self.config.is_drafter else []
        return made | ({_SUPPRESSED: keys.array(GGUFValueType.INT32, suppressed)} if suppressed else {})

    def projector_metadata(self) -> dict[str, keys.Value]:
        """Return the projector's architecture and shape."""
        config, width = self.config, self.config.text.hidden_size
        made = {Keys.General.ARCHITECTURE: keys.text("clip")}
        if config.vision:
            of_vision = unified.vision_metadata if config.unified else vision.metadata
            made |= of_vision(config.vision, width, self.image_processor())
        if config.audio:
            of_audio = unified.audio_metadata if config.unified else audio.metadata
            made |= of_audio(config.audio, width)
        return made

    def _check_added_tokens(self, part: Part) -> None:
        """Raise FileError where an adapter adds tokens and its tokenizer has more of them."""
        rows, tokens = part.weights[EMBEDDINGS].height, len(self.tokenizer.tokens)
        if self.checkpoint.tokenizer_directory == self.checkpoint.directory:
            return
        if tokens > rows:
            raise FileError(
                f"{self.tokenizer.directory / 'tokenizer.json'} has {tokens} tokens, and the adapter's embeddings have "
                f"{rows}: copy the tokenizer that it was trained with"
            )

    def _suppressed(self) -> list[int]:
        """Return the tokens that 12B must never say: those that stand for pictures and sound."""
        path = self.checkpoint.directory / "generation_config.json"
        found = read_json(path, "copy it from the base model").get("suppress_tokens") if path.is_file() else None
        tokens = found if isinstance(found, list) else []
        return [token for token in tokens if type(token) is int and 0 <= token < len(self.tokenizer.tokens)]

    def _sorted(self) -> tuple[list[Weight], list[Weight]]:
        """Return the weights of the language model and those of the towers."""
        inside: list[Weight] = []
        towers: list[Weight] = []
        for weight in self.checkpoint.weights.values():
            name = plain_name(weight.name)
            if self.config.is_drafter and name.startswith(_MASKED):
                self.warnings = [_WITHOUT_MASK]
            else:
                (towers if name.startswith(_TOWERS) else inside).append(weight)
        return inside, towers


def _towers(config: Config) -> dict[str, Expected]:
    width = config.text.hidden_size
    found: dict[str, Expected] = {}
    if config.vision:
        found |= (unified.expected_vision if config.unified else vision.expected)(config.vision, width)
    if config.audio:
        found |= (unified.expected_audio if config.unified else audio.expected)(config.audio, width)
    return found
