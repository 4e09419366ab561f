"""An answer with everything it takes: tools are called and their results read until the model says its last word."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgekit.chat.events import Event, Finished, FinishReason, Timings, Usage
from edgekit.chat.message import Message, ToolCall
from edgekit.chat.session import Session
from edgekit.chat.tools import call_tool
from edgekit.errors import EdgekitError

MOST_ROUNDS = 8


@dataclass(frozen=True)
class Answer:
    """What came of a question, all rounds together; the counts of prompt tokens are the last round's."""

    answer: str
    thought: str
    tool_calls: tuple[ToolCall, ...]
    finish_reason: FinishReason
    usage: Usage
    timings: Timings


def answer_with_tools(
    session: Session, messages: Sequence[Message], stop: threading.Event | None = None
) -> Iterator[Event | Answer]:
    """Answer, calling the session's tools at once whenever asked to; ends with an Answer."""
    history = list(messages)
    rounds: list[Finished] = []
    while len(rounds) < MOST_ROUNDS:
        finished = None
        for event in session.answer(history, stop):
            yield event
            finished = event if isinstance(event, Finished) else finished
        assert finished is not None
        rounds.append(finished)
        if finished.finish_reason != "tool_calls" or not session.tools:
            yield _sum(rounds)
            return
        calls = finished.message.tool_calls
        history += [finished.message, *(call_tool(session.tools, call) for call in calls)]
    raise EdgekitError(f"the model called tools {MOST_ROUNDS} times in a row and never answered")


def _sum(rounds: list[Finished]) -> Answer:
    last = rounds[-1]
    written = sum(each.usage.completion_tokens for each in rounds)
    usage = Usage(last.usage.prompt_tokens, last.usage.cached_tokens, last.usage.media_tokens, written)
    timings = Timings(
        sum(each.timings.load for each in rounds),
        sum(each.timings.prefill for each in rounds),
        sum(each.timings.decode for each in rounds),
    )
    thoughts = [each.message.thought for each in rounds if each.message.thought]
    calls = tuple(call for each in rounds for call in each.message.tool_calls)
    return Answer(last.message.text, "\n\n".join(thoughts), calls, last.finish_reason, usage, timings)
