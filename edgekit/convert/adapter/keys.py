"""How adapters spell the names of tensors: peft's own way, and what trainers and wrappers make of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from edgekit.convert.names import plain_name

_LORA = re.compile(
    r"(?P<module>.+)\.lora_(?P<role>A|B|embedding_A|embedding_B|magnitude_vector)"
    r"(?:\.(?P<name>[^.]+))??(?:\.(?P<leaf>weight|bias))?"
)
_TOKENS = re.compile(r"(?P<module>.+)\.token_adapter\.trainable_tokens_delta(?:\.(?P<name>[^.]+))?")
_SAVED = re.compile(r"\.modules_to_save(?:\.default)?(?=\.)")
# What stands beside them: the weight before training, in a resized model or where sharded training saved everything.
_UNTRAINED = re.compile(r"\.original_module(?=\.)|\.token_adapter(?=\.base_layer\.)")


class Role(str, Enum):
    """What a tensor of an adapter is to the weight that it changes."""

    low = "A"
    high = "B"
    embedding_low = "embedding_A"
    embedding_high = "embedding_B"
    bias = "bias"
    magnitude = "magnitude_vector"
    tokens = "tokens"
    # A weight of the model itself, trained whole.
    whole = "whole"
    # The weight as it was before, which peft saves with what it adds to embeddings.
    base = "base"


@dataclass(frozen=True)
class Key:
    """A key of an adapter's file; keys of one place belong together."""

    text: str
    role: Role
    # The module, or for a whole weight the weight itself, without wrappers.
    plain: str
    # The module as settings name it.
    path: str
    # How many wrappers of peft lie around it: parameters of one module are wrapped one inside the other.
    depth: int = 0

    @property
    def place(self) -> tuple[str, int]:
        """What the halves of one change have in common."""
        return self.plain, self.depth


def parse(text: str) -> Key:
    """Understand a key; whatever has no mark of peft is the name of a whole weight."""
    if match := _TOKENS.fullmatch(text):
        return _key(text, Role.tokens, match["module"])
    match = _LORA.fullmatch(text)
    if match is None:
        # Biases below the wrapper are trained, weights are not.
        is_copy = text.endswith(".base_layer.weight") or bool(_UNTRAINED.search(text))
        return _key(text, Role.base if is_copy else Role.whole, _UNTRAINED.sub("", _SAVED.sub("", text)))
    if match["leaf"] == "bias":
        role = Role.bias if match["role"] == "B" else Role.whole
        return _key(text, role, match["module"] if role == Role.bias else text)
    return _key(text, Role(match["role"]), match["module"])


def _key(text: str, role: Role, module: str) -> Key:
    path = re.sub(r"^base_model\.model\.", "", module)
    return Key(text, role, plain_name(module), path.replace(".base_layer", ""), module.split(".").count("base_layer"))
