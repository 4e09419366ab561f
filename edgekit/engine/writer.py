"""Writes an answer, token by token or several at once where they were guessed."""

from __future__ import annotations

import time
from collections.abc import Iterator

from edgekit.engine.cache import Cache
from edgekit.engine.drafting import Pace, PromptLookup
from edgekit.engine.sampling import Sampler
from edgekit.engine.vocabulary import Vocabulary


class Writer:
    """One answer behind what the cache holds."""

    def __init__(
        self, cache: Cache, vocabulary: Vocabulary, sampler: Sampler, pace: Pace, lookup: PromptLookup
    ) -> None:
        self._cache, self._vocabulary, self._sampler, self._pace = cache, vocabulary, sampler, pace
        self._lookup = lookup if pace.may_guess else None
        if self._lookup:
            self._lookup.follow(cache.entries)

    def write(self, most: int) -> Iterator[int]:
        """Yield up to `most` tokens; the last one yielded is not in the cache."""
        chosen = [self._sampler.next(self._cache.context)]
        while most:
            for token in chosen:
                yield token
                most -= 1
            if self._vocabulary.ends(chosen[-1]):
                return
            if most:
                chosen = self._step(chosen[-1], most)

    def _step(self, token: int, most: int) -> list[int]:
        """Compute a token; return what comes next: as many as were guessed rightly, and one."""
        guesses = self._guess(token, most)
        started = time.perf_counter()
        self._cache.append(token, *guesses)
        chosen = [self._sampler.next(self._cache.context, 0)]
        for index, guess in enumerate(guesses):
            if chosen[-1] != guess or self._vocabulary.ends(guess):
                break
            chosen.append(self._sampler.next(self._cache.context, index + 1))
        accepted = len(chosen) - 1
        self._cache.drop_last(len(guesses) - accepted)
        self._pace.measured(len(guesses), accepted, time.perf_counter() - started)
        if self._lookup:
            for each in (token, *chosen[:-1]):
                self._lookup.add(each)
        return chosen

    def _guess(self, token: int, most: int) -> list[int]:
        room = min(self._pace.guesses(), most - 1, self._cache.room - 1)
        return self._lookup.guess_after(token, room) if self._lookup and room > 0 else []
