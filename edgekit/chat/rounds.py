"""An answer with everything it takes: tools are called and their results read until the model says its last word."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace

from edgekit.chat.calling import LIMIT, call_tool, tool_result
from edgekit.chat.events import Event, Finished, FinishReason, Timings, ToolAnswered, ToolAsked, Usage
from edgekit.chat.message import Message, ToolCall
from edgekit.chat.permission import Asking, Permission, Verdict
from edgekit.chat.session import Session

# After so many rounds with calls the model is told to answer with what it knows.
MOST_ROUNDS = 8
# What has to be left of the context after a tool's answer, as a share of what was left before it.
_KEPT = 0.5


@dataclass(frozen=True)
class Answer:
    """What came of a question, all rounds together; the counts of prompt tokens are the last round's.

    Its finish reason is "tool_calls" where the model asked for tools to the end. `messages` are for the history: calls
    and answers of tools between them, every call with its answer.
    """

    answer: str
    thought: str
    tool_calls: tuple[ToolCall, ...]
    finish_reason: FinishReason
    usage: Usage
    timings: Timings
    messages: tuple[Message, ...]


def answer_with_tools(
    session: Session,
    messages: Sequence[Message],
    stop: threading.Event | None = None,
    *,
    permission: Permission,
    limit: float = LIMIT,
) -> Iterator[Event | Answer]:
    """Answer, calling the session's tools where they are allowed; ends with an Answer.

    A ToolAsked event waits for its reply. A tool that takes longer than `limit` seconds is given up.
    """
    return _Rounds(session, messages, stop or threading.Event(), permission, limit).run()


class _Rounds:
    def __init__(
        self, session: Session, messages: Sequence[Message], stop: threading.Event, permission: Permission, limit: float
    ) -> None:
        self._session, self._before, self._stop = session, list(messages), stop
        self._permission, self._limit = permission, limit
        self._rounds: list[Finished] = []
        self._new: list[Message] = []

    def run(self) -> Iterator[Event | Answer]:
        while True:
            finished = yield from self._round()
            calls = finished.message.tool_calls
            # One round more than may call: there the model is told to answer.
            last = len(self._rounds) > MOST_ROUNDS + 1
            if finished.finish_reason != "tool_calls" or not self._session.tools or last:
                break
            self._new.append(finished.message)
            for call in calls:
                answered = yield from self._call(call)
                self._new.append(answered)
        self._keep_last(finished.message)
        yield self._sum()

    def _round(self) -> Generator[Event, None, Finished]:
        finished = None
        for event in self._session.answer([*self._before, *self._new], self._stop):
            yield event
            finished = event if isinstance(event, Finished) else finished
        assert finished is not None
        self._rounds.append(finished)
        return finished

    def _call(self, call: ToolCall) -> Generator[Event, None, Message]:
        allowed = self._permission.known(call)
        if allowed is None:
            asking = Asking()
            yield ToolAsked(call, asking)
            allowed = self._allow(call, asking.wait(self._stop))
        started = time.perf_counter()
        message = self._fitting(self._answer(call, allowed))
        yield ToolAnswered(call, message, time.perf_counter() - started)
        return message

    def _allow(self, call: ToolCall, verdict: Verdict | None) -> bool:
        return self._permission.note(call, verdict) if verdict else False

    def _answer(self, call: ToolCall, allowed: bool) -> Message:
        if self._stop.is_set():
            return tool_result(call.name, {"error": "the person stopped this"})
        if not allowed:
            return tool_result(call.name, {"error": f"the person does not allow {call.name}: it was not called"})
        if len(self._rounds) > MOST_ROUNDS:
            return tool_result(call.name, {"error": "no more calls: answer with what you know"})
        return call_tool(self._session.tools, call, limit=self._limit, stop=self._stop)

    def _fitting(self, message: Message) -> Message:
        """Cut what a tool says where it would fill the context, and say so."""
        engine, usage = self._session.engine, self._rounds[-1].usage
        calls = len(self._rounds[-1].message.tool_calls)
        left = engine.context - usage.prompt_tokens - usage.completion_tokens
        room = max(int(left * (1 - _KEPT) / calls), 0)
        count = len(engine.vocabulary.tokenize(message.text, control=False))
        if count <= room:
            return message
        length = len(message.text)
        kept = message.text[: length * room // count]
        note = f"cut after {len(kept)} of {length} characters: there is no room for more"
        return tool_result(message.name or "", {"beginning": kept, "note": note})

    def _keep_last(self, message: Message) -> None:
        # A call without its answer is no conversation that a template knows.
        message = replace(message, tool_calls=()) if message.tool_calls and self._session.tools else message
        if message.parts or message.tool_calls:
            self._new.append(message)

    def _sum(self) -> Answer:
        last = self._rounds[-1]
        written = sum(each.usage.completion_tokens for each in self._rounds)
        usage = replace(last.usage, completion_tokens=written)
        timings = Timings(
            sum(each.timings.load for each in self._rounds),
            sum(each.timings.prefill for each in self._rounds),
            sum(each.timings.decode for each in self._rounds),
        )
        texts = [each.message.text for each in self._rounds if each.message.text]
        thoughts = [each.message.thought for each in self._rounds if each.message.thought]
        calls = tuple(call for each in self._rounds for call in each.message.tool_calls)
        answer, thought = "\n\n".join(texts), "\n\n".join(thoughts)
        return Answer(answer, thought, calls, last.finish_reason, usage, timings, tuple(self._new))
