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
        token = self._sampler.next(self._cache.context)
        while True:
            yield token
            most -= 1
            if not most or self._vocabulary.ends(token):
                return
            guesses = self._guess(token, most)
            if not guesses:
                token = self._step(token)
                continue
            *right, next_token = self._guessed_step(token, guesses)
            yield from right
            token, most = next_token, most - len(right)

    def _step(self, token: int) -> int:
        """Compute a token; return what comes next."""
        started = time.perf_counter()
        self._cache.append(token)
        chosen = self._sampler.next(self._cache.context)
        self._pace.measured(0, 0, time.perf_counter() - started)
        if self._lookup:
            self._lookup.add(token)
        return chosen

    def _guessed_step(self, token: int, guesses: list[int]) -> list[int]:
        """Compute a token and guesses behind it; return what comes next: as many as were guessed rightly, and one."""
        started = time.perf_counter()
        self._cache.append_with_guesses(token, guesses)
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
        if not self._lookup or not (ahead := self._pace.guesses()):
            return []
        room = min(ahead, most - 1, self._cache.room - 1)
        return self._lookup.guess_after(token, room) if room > 0 else []
