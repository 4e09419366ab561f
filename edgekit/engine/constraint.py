"""Answers that a grammar allows, by llama.cpp's grammar sampler."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from edgekit.engine import native
from edgekit.engine.native import llama
from edgekit.engine.sampling import Sampler
from edgekit.errors import EdgekitError

if TYPE_CHECKING:
    import numpy as np

    from edgekit.engine.sampling import Sampling
    from edgekit.engine.vocabulary import Vocabulary


@dataclass(frozen=True)
class Channel:
    """What a model may write freely before its answer, between two control tokens."""

    opens: str
    closes: str
    # Whether the turn may end behind it, without an answer: a tool call does that.
    final: bool = False


@dataclass(frozen=True)
class Constraint:
    """A grammar in GBNF whose rule `root` is the answer, and the channels before it."""

    grammar: str
    channels: tuple[Channel, ...] = ()


class ConstrainedSampler(Sampler):
    """Chooses as ever; where the grammar forbids the choice, among what it allows."""

    def __init__(self, sampling: Sampling, vocabulary: Vocabulary, vocab: int, constraint: Constraint) -> None:
        """Raise EdgekitError where llama.cpp does not take the grammar; `vocab` is its handle of the vocabulary."""
        super().__init__(sampling, vocabulary.size, vocabulary.suppressed())
        self._vocabulary = vocabulary
        native.forget_complaints()
        self._grammar = llama.llama_sampler_init_grammar(vocab, constraint.grammar.encode(), b"root")
        if not self._grammar:
            super().__exit__()
            raise EdgekitError(f"llama.cpp does not take the grammar: {native.complaints()}")
        self._opening = {_token(vocabulary, channel.opens): channel for channel in constraint.channels}
        self._inside: Channel | None = None
        self._may_end = self._begun = False

    def __exit__(self, *_: object) -> None:
        llama.llama_sampler_free(self._grammar)
        super().__exit__()

    def next(self, context: int, index: int = -1) -> int:
        """Choose from the logits of the last decoded token, or of the one at `index` of its batch."""
        token = super().next(context, index)
        if self._inside:
            return self._in_channel(token, self._inside)
        if not self._begun:
            if token in self._opening:
                self._inside = self._opening[token]
                return token
            if self._may_end and self._vocabulary.ends(token):
                return token
        if not self._allows(token):
            token = self._choose_anew(context, index)
        self._begun = True
        llama.llama_sampler_accept(self._grammar, token)
        return token

    def _in_channel(self, token: int, channel: Channel) -> int:
        if self._vocabulary.ends(token) and not channel.final:
            # The answer is still to come: a thought that ends the turn only ends itself.
            token = _token(self._vocabulary, channel.closes)
        if token == _token(self._vocabulary, channel.closes):
            self._inside, self._may_end = None, channel.final
        return token

    def _allows(self, token: int) -> bool:
        # llama.cpp takes control tokens for the text of their names.
        if token in _controls(self._vocabulary) and not self._vocabulary.ends(token):
            return False
        one = (llama.llama_token_data * 1)(llama.llama_token_data(token, 1.0, 0.0))
        array = llama.llama_token_data_array(one, 1, -1, False)
        llama.llama_sampler_apply(self._grammar, ctypes.byref(array))
        return bool(one[0].logit == 1.0)

    def _choose_anew(self, context: int, index: int) -> int:
        candidates = self._candidates(context, index)
        array = llama.llama_token_data_array(
            candidates.ctypes.data_as(llama.llama_token_data_p), len(candidates), -1, False
        )
        llama.llama_sampler_apply(self._grammar, ctypes.byref(array))
        best = candidates[candidates["logit"].argmax()].copy()
        # The grammar's sampler ends the process where it is given what it forbids.
        if best["logit"] == -float("inf"):
            raise EdgekitError("the vocabulary has no token that the JSON schema allows here")
        llama.llama_sampler_apply(self._chain, ctypes.byref(array))
        chosen = array.data[array.selected]
        token = int(best["id"]) if chosen.logit == -float("inf") else int(chosen.id)
        llama.llama_sampler_accept(self._chain, token)
        return token

    def _candidates(self, context: int, index: int) -> np.ndarray[Any, Any]:
        import numpy as np

        size = self._vocabulary.size
        # llama_token_data: id, logit, p.
        candidates = np.zeros(size, dtype=[("id", "<i4"), ("logit", "<f4"), ("p", "<f4")])
        candidates["id"] = np.arange(size)
        candidates["logit"] = np.ctypeslib.as_array(llama.llama_get_logits_ith(context, index), shape=(size,))
        forbidden = [token for token in _controls(self._vocabulary) if not self._vocabulary.ends(token)]
        candidates["logit"][[*forbidden, *self._vocabulary.suppressed()]] = -np.inf
        return candidates


def _token(vocabulary: Vocabulary, spelling: str) -> int:
    tokens = vocabulary.tokenize(spelling)
    # A model without this channel never opens it.
    return tokens[0] if len(tokens) == 1 else -1


@lru_cache(maxsize=2)
def _controls(vocabulary: Vocabulary) -> frozenset[int]:
    return frozenset(filter(vocabulary.is_control, range(vocabulary.size)))
