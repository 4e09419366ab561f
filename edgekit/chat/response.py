"""What a model writes, taken apart as it streams: thought, text, tool calls."""

from __future__ import annotations

from edgekit.chat.arguments import ArgumentError, parse_call
from edgekit.chat.events import TextPiece, ThoughtPiece, ToolCallPiece
from edgekit.chat.message import ToolCall

Piece = ThoughtPiece | TextPiece | ToolCallPiece

_THOUGHT, _THOUGHT_END = "<|channel>thought", "<channel|>"
_CALL, _CALL_END = "<|tool_call>", "<tool_call|>"
_ENDS = ("<turn|>", "<|tool_response>")
# In each state, the markers that leave it.
_LEAVING = {"text": (_THOUGHT, _CALL, *_ENDS), "thought": (_THOUGHT_END,), "call": (_CALL_END,), "over": ()}


class ResponseParser:
    """Reads an answer in pieces of any size; markers may be split between them."""

    def __init__(self) -> None:
        self.thought = ""
        self.text = ""
        self.calls: list[ToolCall] = []
        self._state = "text"
        self._waiting = ""
        # White space is passed on only between words: none leads or ends a thought or an answer.
        self._space = {"thought": "", "text": ""}

    def feed(self, text: str) -> list[Piece]:
        """Take the next text; returns what is certain now."""
        self._waiting += text
        pieces: list[Piece] = []
        while True:
            marker, at = self._next_marker()
            if not marker:
                break
            pieces += self._take(self._waiting[:at])
            self._waiting = self._waiting[at + len(marker) :]
            self._enter(marker)
        if self._state != "call":
            certain = len(self._waiting) - self._held_back()
            pieces += self._take(self._waiting[:certain])
            self._waiting = self._waiting[certain:]
        return pieces

    def finish(self) -> list[Piece]:
        """Return what was held back: channels that never closed end here, half a tool call is text."""
        rest, self._waiting = self._waiting, ""
        if self._state != "call":
            return self._take(rest)
        self._state = "text"
        return self._say("text", _CALL + rest)

    def _next_marker(self) -> tuple[str, int]:
        found = [(self._waiting.find(marker), marker) for marker in _LEAVING[self._state]]
        at, marker = min(((at, marker) for at, marker in found if at >= 0), default=(-1, ""))
        return marker, at

    def _held_back(self) -> int:
        longest = max(map(len, _LEAVING[self._state]), default=1) - 1
        for length in range(min(longest, len(self._waiting)), 0, -1):
            if any(marker.startswith(self._waiting[-length:]) for marker in _LEAVING[self._state]):
                return length
        return 0

    def _enter(self, marker: str) -> None:
        states = {_THOUGHT: "thought", _CALL: "call", **dict.fromkeys(_ENDS, "over")}
        self._state = states.get(marker, "text")

    def _take(self, text: str) -> list[Piece]:
        if self._state == "call":
            return self._call(text)
        return [] if self._state == "over" else self._say(self._state, text)

    def _say(self, channel: str, text: str) -> list[Piece]:
        so_far = self.thought if channel == "thought" else self.text
        text = self._space[channel] + text if so_far else text.lstrip()
        words = text.rstrip()
        self._space[channel] = text[len(words) :]
        if not words:
            return []
        if channel == "thought":
            self.thought += words
            return [ThoughtPiece(words)]
        self.text += words
        return [TextPiece(words)]

    def _call(self, text: str) -> list[Piece]:
        try:
            call = ToolCall(*parse_call(text))
        except ArgumentError:
            # What is no call is read by a person, who may see what was meant.
            return self._say("text", _CALL + text + _CALL_END)
        self.calls.append(call)
        return [ToolCallPiece(call)]
