"""How the next token is chosen: llama.cpp's own samplers, in its order."""

from __future__ import annotations

import ctypes
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgekit.engine.native import llama

if TYPE_CHECKING:
    from edgekit.engine.constraint import Constraint


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
    # What the answer has to be, for example JSON by a schema.
    constraint: Constraint | None = None


class Sampler:
    """A chain of llama.cpp samplers for one answer; a context manager."""

    def __init__(self, sampling: Sampling, vocabulary_size: int, suppressed: Sequence[int] = ()) -> None:
        self._chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
        for link in _links(sampling, vocabulary_size, suppressed):
            llama.llama_sampler_chain_add(self._chain, link)

    def __enter__(self) -> Sampler:
        return self

    def __exit__(self, *_: object) -> None:
        llama.llama_sampler_free(self._chain)

    def next(self, context: int, index: int = -1) -> int:
        """Choose from the logits of the last decoded token, or of the one at `index` of its batch."""
        token: int = llama.llama_sampler_sample(self._chain, context, index)
        return token


def _links(sampling: Sampling, vocabulary_size: int, suppressed: Sequence[int]) -> list[int]:
    links = []
    if suppressed:
        biases = (llama.llama_logit_bias * len(suppressed))(*[(token, -float("inf")) for token in suppressed])
        links.append(llama.llama_sampler_init_logit_bias(vocabulary_size, len(suppressed), biases))
    if sampling.temperature <= 0:
        return [*links, llama.llama_sampler_init_greedy()]
    seed = secrets.randbits(32) if sampling.seed is None else sampling.seed & 0xFFFF_FFFF
    return [
        *links,
        llama.llama_sampler_init_top_k(sampling.top_k),
        llama.llama_sampler_init_top_p(ctypes.c_float(sampling.top_p), 1),
        llama.llama_sampler_init_temp(ctypes.c_float(sampling.temperature)),
        llama.llama_sampler_init_dist(seed),
    ]
