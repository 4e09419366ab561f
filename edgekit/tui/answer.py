"""What the model answers, as it arrives."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from edgekit.chat.events import (
    Event,
    Finished,
    FinishReason,
    Prefilling,
    TextPiece,
    ThoughtPiece,
    ToolAnswered,
    ToolAsked,
    ToolCallPiece,
)
from edgekit.chat.message import Message, ToolCall
from edgekit.tui.prose import Prose
from edgekit.tui.thought import Thought
from edgekit.tui.tool_card import ToolCard

_ENDINGS: dict[FinishReason, str] = {
    "cancelled": "■ stopped",
    "length": "■ cut here: no room for more tokens",
}


class Answer(Vertical):
    """Thought, Markdown and tool calls of one turn."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting = Static(Content("…"), classes="waiting")
        self._thought: Thought | None = None
        self._text: Prose | None = None

    def on_mount(self) -> None:
        """Show that the question has arrived."""
        self.mount(self._waiting)

    async def feed(self, event: Event) -> None:
        """Show the next event."""
        if isinstance(event, Prefilling):
            await self._wait(f"reading {event.done} of {event.total} tokens")
            return
        await self._stop_waiting()
        if isinstance(event, ThoughtPiece):
            await self._think(event.text)
            return
        await self._finish_thought()
        if isinstance(event, TextPiece):
            await self._write(event.text)
        elif isinstance(event, ToolCallPiece):
            await self._finish_text()
            await self.mount(ToolCard(event.call))
        elif isinstance(event, ToolAsked):
            self._card(event.call).ask(event.asking)
        elif isinstance(event, ToolAnswered):
            await self._card(event.call).show_answer(event)
        else:
            await self._finish(event)

    async def recall(self, message: Message, answers: Sequence[Message] = ()) -> None:
        """Show an answer of another day, and what tools answered to its calls."""
        if message.thought:
            thought = Thought()
            await self.mount(thought)
            thought.recall(message.thought)
        if message.text:
            await self._write(message.text)
            await self._finish_text()
        for call, answer in zip_longest(message.tool_calls, answers[: len(message.tool_calls)]):
            card = ToolCard(call)
            await self.mount(card)
            await card.recall(answer)
        await self.abandon()

    async def abandon(self) -> None:
        """End the turn where no event Finished comes."""
        await self._stop_waiting()
        await self._finish_thought()
        await self._finish_text()
        for card in self.query(ToolCard):
            card.abandon()

    async def _wait(self, text: str) -> None:
        # After a tool has answered, the model reads once more.
        if not self._waiting.is_attached:
            self._waiting = Static(classes="waiting")
            await self.mount(self._waiting)
        self._waiting.update(Content(text))

    def _card(self, call: ToolCall) -> ToolCard:
        return next(card for card in self.query(ToolCard) if card.call is call)

    async def _stop_waiting(self) -> None:
        # Once: removing what is gone costs more than showing a token.
        if self._waiting.is_attached:
            await self._waiting.remove()

    async def _think(self, text: str) -> None:
        if self._thought is None:
            self._thought = Thought()
            await self.mount(self._thought)
        await self._thought.write(text)

    async def _write(self, text: str) -> None:
        if self._text is None:
            self._text = Prose()
            await self.mount(self._text)
        await self._text.write(text)

    async def _finish_thought(self) -> None:
        if self._thought is not None:
            await self._thought.finish()
            self._thought = None

    async def _finish_text(self) -> None:
        if self._text is not None:
            await self._text.finish()
            self._text = None

    async def _finish(self, finished: Finished) -> None:
        await self._finish_text()
        if ending := _ENDINGS.get(finished.finish_reason):
            await self.mount(Static(Content(ending), classes="ending"))
