"""What a conversion needs to know of a checkpoint, whatever its architecture."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import Any, Literal

from gguf import Keys

from edgekit.convert import keys
from edgekit.convert.checkpoint import Checkpoint, read_json
from edgekit.convert.mixture import PROJECTOR_QUANTIZATIONS, check_quantization
from edgekit.convert.plan import TensorPlan
from edgekit.errors import UnsupportedError

# What the files of a model without a template lack.
NO_TEMPLATE = "no chat template: chat and run will refuse this file; copy chat_template.jinja from the base model"


class Model(ABC):
    """A checkpoint as tensors to write, in one file or two, and the metadata that goes with them."""

    # What the first file is; the second is its projector.
    kind: Literal["text", "drafter"] = "text"
    # The tensors of the two files; the projector has none where the checkpoint has no towers.
    text: list[TensorPlan]
    projector: list[TensorPlan]
    # Quantizations of the projector that end llama.cpp's process when it sees a picture.
    unseen: Collection[str] = ()
    # What the files will lack, each in a sentence.
    warnings: list[str]

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self.warnings = []

    @property
    def shared_kv(self) -> dict[str, str]:
        """Names of the weights that are never used, whether they exist or not, and why."""
        return {}

    @property
    @abstractmethod
    def has_projector(self) -> bool:
        """Say whether there are towers that become a projector."""

    @abstractmethod
    def check_towers(self) -> None:
        """Raise FileError where a tower is not what config.json promises: llama.cpp would crash on the file."""

    @abstractmethod
    def text_metadata(self) -> dict[str, keys.Value]:
        """Return architecture, shape, tokenizer and template."""

    @abstractmethod
    def projector_metadata(self) -> dict[str, keys.Value]:
        """Return the projector's architecture and shape."""

    @property
    def has_template(self) -> bool:
        """Say whether the checkpoint brings a chat template, without which nobody can talk to the model."""
        return Keys.Tokenizer.CHAT_TEMPLATE in self.text_metadata()

    def projector_type(self, asked: str, source: str) -> str:
        """Return the projector's quantization; `auto` is the checkpoint's own type, or the nearest that is usable.

        Raises UnsupportedError for one that edgekit does not make, or for which llama.cpp has no kernels.
        """
        if asked == "auto":
            return source if source not in self.unseen else "F16"
        name = check_quantization(asked, PROJECTOR_QUANTIZATIONS)
        if name in self.unseen:
            raise UnsupportedError(
                f"llama.cpp cannot compute with a {name} projector of this model: choose F16 or Q8_0"
            )
        return name

    def image_processor(self) -> dict[str, Any]:
        """Read the image processor's settings; transformers 5 nests them in the processor's."""
        found: dict[str, Any] = {}
        for name in ("preprocessor_config.json", "processor_config.json"):
            path = self.checkpoint.directory / name
            if path.is_file():
                settings = read_json(path, "copy it from the base model")
                nested = settings.get("image_processor")
                found |= settings | (nested if isinstance(nested, dict) else {})
        return found
