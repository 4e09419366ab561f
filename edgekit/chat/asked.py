"""The questions of a conversation: where they stand, and where what answers them ends."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.chat.message import Message
from edgekit.errors import EdgekitError


def question(history: Sequence[Message], number: int | None) -> Message:
    """Return the question of a number, counted from 1; the last one for None. EdgekitError where there is none."""
    questions = [message for message in history if message.role == "user"]
    if not questions:
        raise EdgekitError("nothing was asked yet")
    if number is not None and not 1 <= number <= len(questions):
        raise EdgekitError(f"there is no question {number}: there are {len(questions)}")
    return questions[-1 if number is None else number - 1]


def position(history: Sequence[Message], message: Message) -> int:
    """Return where a message stands; EdgekitError where it was dropped."""
    for at, one in enumerate(history):
        if one is message:
            return at
    raise EdgekitError("this question is no longer part of the conversation")


def end(history: Sequence[Message], message: Message | None) -> int:
    """Return where the answer to a question ends; where everything does for None."""
    start = position(history, message) + 1 if message else len(history)
    return next((at for at in range(start, len(history)) if history[at].role == "user"), len(history))
