"""The questions and answers of a conversation, and the turn that is going on."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from textual.worker import Worker

from edgekit.chat import rounds, shorten
from edgekit.chat.events import Finished
from edgekit.chat.message import Message, user
from edgekit.chat.saved import Draft
from edgekit.errors import EdgekitError
from edgekit.tui.answer import Answer
from edgekit.tui.attachment import Attachment
from edgekit.tui.boxed import show_boxes
from edgekit.tui.model import Model
from edgekit.tui.notice import Notice
from edgekit.tui.past import position
from edgekit.tui.question import Question

if TYPE_CHECKING:
    from edgekit.tui.chat_screen import ChatScreen

_SUMMED_UP = "the conversation goes on from this summary; Ctrl+L has it as it was before"
_FULL = "the context is nearly full ({used} of {context}): /compact sums the conversation up, /drop forgets its oldest "
_FULL += "turns, /new begins anew"


class Turns:
    """Asks the model, one question at a time, and keeps what was said."""

    def __init__(self, screen: ChatScreen, model: Model) -> None:
        self._screen, self._model = screen, model
        self.history: list[Message] = []
        self._turn: Worker[None] | None = None
        self._nearly_full = False

    @property
    def answering(self) -> bool:
        """Whether a turn is going on."""
        return self._turn is not None and self._turn.is_running

    def ask(self, text: str, attachments: Sequence[Attachment], instead: Message | None = None) -> None:
        """Begin a turn; `instead` is the earlier question that is asked anew, so that what came after it goes.

        Raises EdgekitError where another turn is going on, or the earlier question is gone.
        """
        self.check_not_answering()
        earlier = self.history if instead is None else self.history[: position(self.history, instead)]
        self._screen.saving.asking(Draft(text, tuple(attachment.media for attachment in attachments)))
        self._begin(self._ask(text, attachments, tuple(earlier), instead))

    def compact(self) -> None:
        """Let the model sum the conversation up, and go on from its summary."""
        self._check_idle()
        self._begin(self._compact())

    def drop(self, count: str = "") -> None:
        """Forget the oldest turns, half of them unless a number says otherwise; the screen keeps them."""
        self._check_idle()
        turns = len(shorten.turns(self.history))
        if turns < 2:
            raise EdgekitError("there is one turn only: /new begins anew")
        self._begin(self._drop(shorten.turns_to_drop(count, turns), turns))

    async def over(self) -> None:
        """Wait until everything that the model said is shown."""
        if self._turn is not None and self.answering:
            await self._turn.wait()

    async def stop(self) -> None:
        """Stop, and wait until it is over."""
        self._model.stop()
        await self.over()

    async def forget(self) -> None:
        """Stop, and begin with an empty history."""
        await self.stop()
        self.history.clear()
        self._model.permission.forget()
        self._nearly_full = False
        self._screen.status.change(used=0, prefill=0, decode=0)

    def _begin(self, turn: Coroutine[Any, Any, None]) -> None:
        self._model.begin_turn()
        self._turn = self._screen.run_worker(turn)

    def check_not_answering(self) -> None:
        """Raise EdgekitError while a turn is going on."""
        if self.answering:
            raise EdgekitError("the model is answering: Esc stops it")

    def _check_idle(self) -> None:
        self.check_not_answering()
        if not self.history:
            raise EdgekitError("there is no conversation yet")

    async def _ask(
        self, text: str, attachments: Sequence[Attachment], earlier: Sequence[Message], instead: Message | None
    ) -> None:
        screen = self._screen
        question = user(text, *(attachment.media for attachment in attachments))
        answer = Answer()
        screen.show_answering(True)
        await screen.saving.asked()
        if instead:
            await screen.past.cut(instead)
        await screen.say(Question(text, attachments, screen.graphics, question), follow=True)
        await screen.say(answer)
        try:
            finished = await self._stream([*earlier, question], answer)
            await self._keep(earlier, question, finished, replace=instead is not None)
        except Exception as problem:
            await answer.abandon()
            if instead:
                await screen.past.show()
            # Before the line that says why: who reads that finds the question in its place.
            screen.asking.give_back(text, attachments)
            await screen.complain(problem)
        screen.show_answering(False)

    async def _stream(self, messages: Sequence[Message], answer: Answer) -> rounds.Answer | None:
        """Show what the model says; return what came of it, None where it was stopped before it began."""
        status, finished = self._screen.status, None
        async for event in self._model.answer(messages):
            if isinstance(event, rounds.Answer):
                finished = event
                continue
            await answer.feed(event)
            if isinstance(event, Finished):
                status.status = status.status.after(event)
            else:
                status.status = status.status.during(event)
        await answer.abandon()
        return finished

    async def _keep(
        self, earlier: Sequence[Message], question: Message, turn: rounds.Answer | None, *, replace: bool
    ) -> None:
        # A turn that was stopped before its first word would only confuse the next one.
        if turn and turn.messages:
            self.history[len(earlier) :] = [question, *turn.messages]
            await show_boxes(self._screen, self.history)
        elif replace:
            await self._screen.past.show()
        await self._screen.saving.keep(self.history, replace=replace)
        if turn:
            await self._tell(turn)

    async def _tell(self, turn: rounds.Answer) -> None:
        if turn.finish_reason == "tool_calls" and self._screen.session.tools:
            await self._screen.say(Notice("the model asked for tools again and again: this is what it said so far"))
        status = self._screen.status.status
        before, self._nearly_full = self._nearly_full, status.nearly_full
        if status.nearly_full and not before:
            await self._screen.say(Notice(_FULL.format(used=status.used, context=status.context)))

    async def _compact(self) -> None:
        screen, answer = self._screen, Answer()
        screen.show_answering(True)
        await screen.say(Notice("summing the conversation up"), follow=True)
        await screen.say(answer)
        try:
            finished = await self._stream(shorten.summary_request(self.history), answer)
            text = finished.answer.strip() if finished and finished.finish_reason != "cancelled" else ""
            await self.go_on_from(shorten.summarised(text) if text else self.history)
            await screen.saving.keep(self.history)
            await screen.say(Notice(_SUMMED_UP if text else "nothing has changed"))
        except Exception as problem:
            await answer.abandon()
            await screen.complain(problem)
        screen.show_answering(False)

    async def _drop(self, count: int, turns: int) -> None:
        await self.go_on_from(shorten.without_oldest(self.history, count))
        await self._screen.saving.keep(self.history)
        text = f"forgot the oldest {count} of {turns} turns: the model reads them no more; Ctrl+L has it all as it was"
        await self._screen.say(Notice(text), follow=True)

    async def go_on_from(self, history: list[Message]) -> None:
        """Let the model read another history from now on; shows how much of the context it takes."""
        self.history[:] = history
        self._nearly_full = False
        if (used := await self._model.count(history)) is not None:
            self._screen.status.change(used=used)
