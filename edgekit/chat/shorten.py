"""Making room in a conversation that has nearly filled its context."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.chat.message import Message, Text, user
from edgekit.errors import EdgekitError

# Digits; Python refuses to read some thousand of them.
LONGEST_NUMBER = 9
SUMMARY_REQUEST = (
    "Summarise our conversation so far in a few sentences: what I wanted, what we found, and what is still open. "
    "Keep names, numbers and decisions."
)


def turns(history: Sequence[Message]) -> list[list[Message]]:
    """Return a history in turns: each a question with everything that answered it."""
    found: list[list[Message]] = []
    for message in history:
        if message.role == "user" or not found:
            found.append([])
        found[-1].append(message)
    return found


def turns_to_drop(word: str, count: int) -> int:
    """Return how many of several turns to forget: what a person typed, or half of them; EdgekitError for no number."""
    if not word:
        return count // 2
    if not (word.isascii() and word.isdigit() and len(word) <= LONGEST_NUMBER and int(word)):
        raise EdgekitError(f"/drop takes a number of turns, not {word[:20]!r}")
    return min(int(word), count - 1)


def without_oldest(history: Sequence[Message], count: int) -> list[Message]:
    """Return a history without its oldest turns; the last one always stays."""
    parted = turns(history)
    return [message for turn in parted[min(count, len(parted) - 1) :] for message in turn] if parted else []


def summary_request(history: Sequence[Message]) -> list[Message]:
    """Return what to ask the model so that it sums a history up."""
    return [*history, user(SUMMARY_REQUEST)]


def summarised(summary: str) -> list[Message]:
    """Return the history that begins with a summary: as it was asked for and given, so that roles alternate."""
    return [user(SUMMARY_REQUEST), Message("assistant", (Text(summary),))]


def carried(history: Sequence[Message], before: Sequence[Message]) -> int:
    """Return how many messages at the beginning of a shortened history stand for those that were there before."""
    if history and history[0].text == SUMMARY_REQUEST:
        return len(summarised(""))
    known = set(map(id, before))
    return next((at for at, message in enumerate(history) if id(message) not in known), len(history))


def without_request(history: Sequence[Message]) -> tuple[Message, ...]:
    """Return a history without edgekit's own request for a summary at its beginning."""
    return tuple(history[1:] if history and history[0].text == SUMMARY_REQUEST else history)
