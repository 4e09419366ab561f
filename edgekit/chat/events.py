"""What a session reports while it answers, in the order in which it happens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgekit.chat.message import Message, ToolCall
from edgekit.chat.permission import Asking

FinishReason = Literal["stop", "length", "tool_calls", "cancelled"]


@dataclass(frozen=True)
class Prefilling:
    """The prompt is being read: `done` of `total` tokens are in the cache."""

    done: int
    total: int


@dataclass(frozen=True)
class ThoughtPiece:
    """The next piece of the thought channel."""

    text: str


@dataclass(frozen=True)
class TextPiece:
    """The next piece of the answer."""

    text: str


@dataclass(frozen=True)
class ToolCallPiece:
    """A complete tool call."""

    call: ToolCall


@dataclass(frozen=True)
class ToolAsked:
    """A tool waits for the person's word: the turn goes on after `asking.reply`."""

    call: ToolCall
    asking: Asking


@dataclass(frozen=True)
class ToolAnswered:
    """A tool has answered, or was refused; `message` is what the model reads."""

    call: ToolCall
    message: Message
    seconds: float


@dataclass(frozen=True)
class Usage:
    """Token counts of one turn."""

    prompt_tokens: int
    cached_tokens: int
    media_tokens: int
    completion_tokens: int


@dataclass(frozen=True)
class Timings:
    """Seconds spent on one turn; load is 0 for a model that was loaded before."""

    load: float
    prefill: float
    decode: float


@dataclass(frozen=True)
class Finished:
    """The turn is over; `message` is what to keep in the history."""

    message: Message
    finish_reason: FinishReason
    usage: Usage
    timings: Timings


Event = Prefilling | ThoughtPiece | TextPiece | ToolCallPiece | ToolAsked | ToolAnswered | Finished
