"""Writes an answer, token by token or several at once where they were guessed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from edgekit.engine.cache import Cache
from edgekit.engine.drafting import Way
from edgekit.engine.sampling import Sampler
from edgekit.engine.vocabulary import Vocabulary


class Writer:
    """One answer behind what the cache holds."""

    def __init__(self, cache: Cache, vocabulary: Vocabulary, sampler: Sampler, ways: Sequence[Way]) -> None:
        self._cache, self._vocabulary, self._sampler, self._ways = cache, vocabulary, sampler, ways
        for way in ways:
            way.guesser.follow(cache.entries)

    def write(self, most: int) -> Iterator[int]:
        """Yield up to `most` tokens; the last one yielded is not in the cache."""
        token = self._sampler.next(self._cache.context)
        while True:
            yield token
            most -= 1
            if not most or self._vocabulary.ends(token):
                return
            started = time.perf_counter()
            way, guesses = self._guess(token, most)
            *right, next_token = self._guessed_step(token, guesses) if way else [self._step(token)]
            seconds = time.perf_counter() - started
            # A step without guesses is what each way of guessing is measured by.
            for each in (way,) if way else self._ways:
                each.pace.measured(len(guesses), len(right), seconds)
            for each in self._ways:
                for taken in (token, *right):
                    each.guesser.add(taken)
            yield from right
            token, most = next_token, most - len(right)

    def _step(self, token: int) -> int:
        """Compute a token; return what comes next."""
        self._cache.append(token)
        return self._sampler.next(self._cache.context)

    def _guessed_step(self, token: int, guesses: list[int]) -> list[int]:
        """Compute a token and guesses behind it; return what comes next: as many as were guessed rightly, and one."""
        self._cache.append_with_guesses(token, guesses)
        chosen = [self._sampler.next(self._cache.context, 0)]
        for index, guess in enumerate(guesses):
            if chosen[-1] != guess or self._vocabulary.ends(guess):
                break
            chosen.append(self._sampler.next(self._cache.context, index + 1))
        self._cache.drop_last(len(guesses) - len(chosen) + 1)
        return chosen

    def _guess(self, token: int, most: int) -> tuple[Way | None, list[int]]:
        """Return who guesses what comes next, and what: the first who has something to say."""
        for way in self._ways:
            room = min(way.pace.guesses(), most - 1, self._cache.room - 1)
            if room > 0 and (guesses := way.guesser.guess_after(token, room)):
                return way, guesses
        return None, []
