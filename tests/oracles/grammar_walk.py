"""What a grammar allows, by llama.cpp's own grammar sampler and no model at all: texts at random."""

from __future__ import annotations

import ctypes
from functools import lru_cache

import numpy as np

from edgekit.engine.engine import Engine
from edgekit.engine.native import llama


@lru_cache(maxsize=1)
def pieces(engine: Engine) -> list[bytes]:
    vocabulary = engine.vocabulary
    return [vocabulary.piece(token) for token in range(vocabulary.size)]


def walk(engine: Engine, grammar: str, seed: int, most: int = 250) -> str | None:
    """A text that the grammar allows, None where it has not ended after so many tokens.

    llama.cpp ends the process where a grammar is at an end without a token: so does a broken one end the test.
    """
    vocabulary, random = engine.vocabulary, np.random.default_rng(seed)
    vocab = llama.llama_model_get_vocab(llama.llama_get_model(engine.cache.context))
    sampler = llama.llama_sampler_init_grammar(vocab, grammar.encode(), b"root")
    assert sampler, grammar
    texts = pieces(engine)
    ends = np.array([vocabulary.ends(token) for token in range(len(texts))])
    closing = np.array([any(sign in text for sign in b'"]}') for text in texts])
    written = b""
    try:
        for step in range(most):
            token = _choose(sampler, random, len(texts), ends, closing * min(step, 40) / 4)
            if ends[token]:
                return written.decode("utf-8", "replace")
            written += texts[token]
            llama.llama_sampler_accept(sampler, int(token))
    finally:
        llama.llama_sampler_free(sampler)
    return None


def _choose(sampler: int, random: np.random.Generator, size: int, ends: np.ndarray, bonus: np.ndarray) -> int:
    candidates = np.zeros(size, dtype=[("id", "<i4"), ("logit", "<f4"), ("p", "<f4")])
    candidates["id"] = np.arange(size)
    candidates["logit"] = random.gumbel(size=size) + bonus + 2 * ends
    array = llama.llama_token_data_array(candidates.ctypes.data_as(llama.llama_token_data_p), size, -1, False)
    llama.llama_sampler_apply(sampler, ctypes.byref(array))
    best = int(candidates["logit"].argmax())
    assert candidates["logit"][best] > -np.inf, "the grammar allows nothing here"
    return best
