"""How the next token is chosen."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sampling:
    """Gemma 4's own defaults; temperature 0 always takes the likeliest token."""

    temperature: float = 1.0
    top_p: float = 0.95
    top_k: int = 64
    # None draws a new seed for every answer.
    seed: int | None = None
    # Tokens of one answer, thoughts included; None lets it run to the end of the context.
    max_tokens: int | None = None
