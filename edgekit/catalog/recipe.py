"""What the choice of a tensor's type depends on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Candidate:
    """A tensor before it is quantized: its GGUF name, its extents in ggml's order (the row first) and its type."""

    name: str
    extents: tuple[int, ...]
    kind: str


@dataclass(frozen=True)
class Structure:
    """What llama-quantize asks about a model."""

    layers: int
    # Query heads for each key head of the first layer.
    heads_per_key: int
    experts: int = 0


@dataclass(frozen=True)
class Choices:
    """The types that a person chose themselves."""

    # Every tensor in the quantization's base type.
    pure: bool = False
    # Patterns of tensor names and the types for them; the first that is found in a name wins.
    tensor_types: tuple[tuple[str, str], ...] = ()
    token_embedding: str | None = None
    output: str | None = None


@dataclass(frozen=True)
class Recipe:
    """A quantization as llama-quantize names it, and what it depends on besides the model."""

    quantization: str
    has_importance: bool = False
    choices: Choices = Choices()
