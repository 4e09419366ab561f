"""Guesses of what comes next, and whether they pay.

Several guesses are computed at once with the token before them; those that the sampler chooses too are kept. The answer
is the same as without, only sooner where guesses are right.
"""

from __future__ import annotations

from itertools import cycle, islice
from typing import Literal, NamedTuple, Protocol

from edgekit.engine.prompt import Entry
from edgekit.fit.settings import OUTPUTS

# "auto" guesses where it measures faster, "always" wherever there is a guess.
Drafting = Literal["auto", "always", "never"]

# A guess more than this costs logits of 262,144 values, and misses more often.
MOST_GUESSES = OUTPUTS - 1
# How far ahead to guess; few different lengths, since llama.cpp plans its computation anew for each.
LENGTHS = (2, 4, MOST_GUESSES)
# Tokens that must stand there already: two agree too often by chance.
_PHRASE = 3
# Tokens between two trials while guessing does not pay; doubled after each that fails.
_PATIENCE = 48
_MOST_PATIENCE = 1024
# How much faster it must be, for what the measurement misses.
_GAIN = 1.05
# Trials without a single right guess that are enough.
_HOPELESS = 2
# Weight of the newest measurement.
_NEW = 0.25


class Guesser(Protocol):
    """Somebody who guesses what comes next."""

    def follow(self, entries: list[Entry]) -> None:
        """Know just these entries."""

    def add(self, token: int) -> None:
        """Take one more token."""

    def guess_after(self, token: int, most: int) -> list[int]:
        """Return up to `most` tokens that may come after one that is not taken yet."""


class PromptLookup:
    """Guesses from what the cache holds and from what is written.

    Where the last tokens stand in the conversation already, what followed them is a guess at what comes
    (apoorvumang/prompt-lookup-decoding).
    """

    def __init__(self) -> None:
        self._tokens: list[Entry] = []
        self._after: dict[tuple[Entry, ...], int] = {}

    def follow(self, entries: list[Entry]) -> None:
        """Know just these entries; what is known of them already is kept."""
        if entries[: len(self._tokens)] != self._tokens:
            self._tokens.clear()
            self._after.clear()
        for entry in entries[len(self._tokens) :]:
            self.add(entry)

    def add(self, entry: Entry) -> None:
        """Take one more token."""
        # Noted when the next token comes: a phrase must not find itself.
        if len(self._tokens) >= _PHRASE:
            self._after[tuple(self._tokens[-_PHRASE:])] = len(self._tokens)
        self._tokens.append(entry)

    def guess_after(self, token: int, most: int) -> list[int]:
        """Return up to `most` tokens that may come after one that is not taken yet."""
        at = self._after.get((*self._tokens[1 - _PHRASE :], token))
        if at is None:
            return []
        # What has come round once comes round again, as often as there is room.
        guesses: list[int] = []
        for entry in islice(cycle([*self._tokens[at : at + most], token]), most):
            if not isinstance(entry, int):
                break
            guesses.append(entry)
        return guesses


class Pace:
    """Decides by measurement whether, and how far ahead, to guess.

    One who is right now and then, rather than for a whole stretch, gets some `trials` before it is judged.
    """

    def __init__(self, drafting: Drafting, trials: int = 1) -> None:
        self._drafting, self._trials = drafting, trials
        # Seconds of a step without guesses; with guesses, by their number, trials, seconds and the tokens that came of
        # it.
        self._alone = 0.0
        self._together: dict[int, tuple[int, float, float]] = {}
        self._longest = 0
        self._waiting, self._patience = 8, _PATIENCE

    def guesses(self) -> int:
        """Return how many tokens to guess for the next step."""
        if self._drafting == "always":
            return MOST_GUESSES
        return 0 if self._drafting == "never" or self._waiting else LENGTHS[self._longest]

    def measured(self, guessed: int, accepted: int, seconds: float) -> None:
        """Learn from a step: how long it took, and how many guesses were right."""
        if not guessed:
            self._alone = _mean(self._alone, seconds)
            self._waiting = max(0, self._waiting - 1)
        elif not self._pays(guessed, accepted, seconds):
            if self._trials > 1 and self._longest:
                # Only so far ahead it does not.
                del self._together[guessed]
                self._longest -= 1
                return
            # The more a judgement costs, the longer it holds.
            self._waiting = min(self._trials * self._patience, _MOST_PATIENCE)
            self._patience = min(2 * self._patience, _MOST_PATIENCE)
            self._together.clear()
            self._longest = 0
        elif self._together[guessed][0] >= self._trials:
            self._patience = _PATIENCE
            if accepted == guessed:
                self._longest = min(self._longest + 1, len(LENGTHS) - 1)
            elif accepted < guessed / 2:
                self._longest = max(self._longest - 1, 0)

    def _pays(self, guessed: int, accepted: int, seconds: float) -> bool:
        if guessed not in self._together:
            # The first step of a length makes llama.cpp plan its computation anew: its time shows nothing.
            self._together[guessed] = (0, 0.0, 0.0)
            return accepted > 0 or self._trials > 1
        tried, spent, gained = self._together[guessed]
        tried, spent, gained = tried + 1, _mean(spent, seconds), _mean(gained, 1 + accepted)
        self._together[guessed] = tried, spent, gained
        # One that is never right shows it sooner.
        undecided = tried < self._trials and (gained > 1 or tried < _HOPELESS)
        return undecided or gained * self._alone >= _GAIN * spent


class Way(NamedTuple):
    """A way to guess, and whether it pays."""

    guesser: Guesser
    pace: Pace


def _mean(so_far: float, new: float) -> float:
    return new if not so_far else (1 - _NEW) * so_far + _NEW * new
