"""Going back: to conversations of other days, and to earlier questions of this one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from edgekit.chat.message import Message
from edgekit.chat.saved import Saved, Settings, apply
from edgekit.errors import EdgekitError
from edgekit.tui.conversation import Conversation
from edgekit.tui.conversations import ConversationsScreen
from edgekit.tui.exporting import export_conversation
from edgekit.tui.notice import Notice
from edgekit.tui.question import Question
from edgekit.tui.recalled import attachments_of, readable_attachments, recall
from edgekit.tui.saving import Saving

if TYPE_CHECKING:
    from edgekit.tui.chat_screen import ChatScreen

_EDITING = "Editing a question: what came after it goes · Esc leaves it"


class Past:
    """Opens, forks, edits and asks again; an earlier turn goes from the disk when the new one is finished."""

    def __init__(self, screen: ChatScreen, saving: Saving) -> None:
        self._screen, self._saving = screen, saving
        # The question that is being edited.
        self.edited: Message | None = None
        # Of a conversation that was opened before the model was loaded.
        self._settings: Settings | None = None
        # One of the things below at a time.
        self._at_work = asyncio.Lock()

    @property
    def at_work(self) -> bool:
        """Whether one of the things below is being done."""
        return self._at_work.locked()

    async def over(self) -> None:
        """Wait until it is done."""
        async with self._at_work:
            return

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Do one of the things below, one after the other; what goes wrong is one line."""
        self._screen.run_worker(self._complaining(work))

    async def choose(self) -> None:
        """Show the list of conversations and go on with what is chosen."""
        chosen = await self._screen.app.push_screen_wait(ConversationsScreen(self._saving))
        if chosen is not None:
            await self.open(chosen.id)
            if chosen.fork:
                await self.fork(None)

    async def open(self, id: int) -> None:
        """Leave the conversation with what is typed, and go on with a saved one where it ended."""
        screen = self._screen
        await screen.turns.stop()
        screen.keep_state()
        await self._saving.hold()
        left = screen.asking.take()
        try:
            await self._open(id, with_settings=True)
        except EdgekitError:
            screen.asking.fill(*left)
            raise
        finally:
            self._saving.resume()
        await screen.turns.go_on_from(list(screen.history))

    async def open_first(self, id: int) -> None:
        """Go on with a saved conversation at the start; what was typed since then stays, behind what was unsent."""
        try:
            await self._open(id, with_settings=False)
        finally:
            self._saving.resume()

    async def _open(self, id: int, *, with_settings: bool) -> None:
        saved, lines = await self._saving.open(id)
        await self._screen.turns.forget()
        self._screen.go_on_from_state(id)
        self.edited = None
        if with_settings:
            self._settings = saved.state.settings
            self.apply_settings()
        self._screen.history[:] = saved.messages
        problems = await self._restore(saved)
        await self.show()
        for line in lines:
            await self._screen.say(Notice(line), follow=True)
        for problem in problems:
            await self._screen.complain(EdgekitError(problem))

    def apply_settings(self) -> None:
        """Give the session the settings of the conversation that was opened, once there is a session."""
        session = self._screen.loaded_session
        if self._settings is not None and session is not None:
            apply(self._settings, session)
            self._settings = None
            self._screen.status.change(thinking=session.think)

    async def tell_unsent(self) -> None:
        """Say at the start where the last conversation ended before everything was sent and answered."""
        latest = await self._saving.run(lambda store: store.latest())
        if latest is not None and latest.unsent:
            line = f"unsent text is kept in {latest.title!r}: Ctrl+L, then Enter opens it"
            # Beside the welcome.
            await self._screen.query_one(Conversation).add(Notice(line))

    async def edit(self, message: Message) -> None:
        """Put an earlier question back into the composer; Enter asks it from there."""
        self._screen.turns.check_not_answering()
        if self._screen.asking.draft:
            raise EdgekitError("send or clear first what is typed")
        position(self._screen.history, message)
        attachments = await attachments_of(message, self._screen.graphics)
        self.edited = message
        self._screen.asking.fill(message.text, attachments, _EDITING)

    def leave_edit(self) -> bool:
        """Leave a question as it was; returns whether one was being edited."""
        was, self.edited = self.edited is not None, None
        if was:
            self._screen.asking.fill("", ())
        return was

    async def regenerate(self) -> None:
        """Ask the last question again."""
        self._screen.turns.check_not_answering()
        message = self.question(None)
        attachments = await attachments_of(message, self._screen.graphics)
        self._screen.turns.ask(message.text, attachments, instead=message)

    async def fork(self, message: Message | None) -> None:
        """Go on in a copy that ends with the answer to a question; in a copy of everything for None."""
        self._screen.turns.check_not_answering()
        history = self._screen.history
        if not history:
            raise EdgekitError("there is nothing to fork yet")
        del history[self._end(message) :]
        await self._saving.fork(history)
        await self.show()
        self._screen.asking.begin("", ())
        await self._screen.say(Notice(f"this is a copy now: conversation {self._saving.id}"), follow=True)

    async def rename(self, title: str) -> None:
        """Give this conversation another title."""
        id = self._id()
        await self._saving.run(lambda store: store.rename(id, title))
        await self._screen.say(Notice(f"this conversation is called {title!r} now"), follow=True)

    async def export(self, words: str) -> None:
        """Write this conversation into a file."""
        path = await export_conversation(self._saving, self._id(), words)
        await self._screen.say(Notice(f"exported to {path}"), follow=True)

    def question(self, number: int | None) -> Message:
        """Return the question of a number, counted from 1; the last one for None."""
        questions = [message for message in self._screen.history if message.role == "user"]
        if not questions:
            raise EdgekitError("nothing was asked yet")
        if number is not None and not 1 <= number <= len(questions):
            raise EdgekitError(f"there is no question {number}: there are {len(questions)}")
        return questions[-1 if number is None else number - 1]

    async def cut(self, message: Message) -> None:
        """Take a question and what came after it from the screen: it is asked again."""
        conversation, history = self._screen.query_one(Conversation), self._screen.history
        for widget in conversation.query(Question):
            if widget.message is message:
                await conversation.cut(widget)
                return
        # It stands before the first that is shown.
        await recall(conversation, history[: position(history, message)], self._screen.graphics)

    async def _complaining(self, work: Awaitable[None]) -> None:
        try:
            async with self._at_work:
                await work
        except Exception as problem:
            # While the application ends there is nothing to say it in.
            if self._screen.query(Conversation):
                await self._screen.complain(problem)

    def _id(self) -> int:
        if self._saving.id is None or not self._screen.history:
            raise EdgekitError("nothing was said yet")
        return self._saving.id

    def _end(self, message: Message | None) -> int:
        history = self._screen.history
        start = position(history, message) + 1 if message else len(history)
        return next((at for at in range(start, len(history)) if history[at].role == "user"), len(history))

    async def show(self) -> None:
        """Draw the history in place of what stands on the screen."""
        await recall(self._screen.query_one(Conversation), self._screen.history, self._screen.graphics)

    async def _restore(self, saved: Saved) -> list[str]:
        unsent = saved.state.unsent
        files = [medium.path for medium in unsent.media]
        attachments, problems = await readable_attachments(files, self._screen.graphics)
        self._screen.asking.begin(unsent.text, attachments)
        return problems


def position(history: Sequence[Message], message: Message) -> int:
    """Return where a message stands; EdgekitError where it was dropped."""
    for at, one in enumerate(history):
        if one is message:
            return at
    raise EdgekitError("this question is no longer part of the conversation")
