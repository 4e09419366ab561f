"""The conversation, the composer and the status line, and what passes between them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widget import Widget
from textual.worker import Worker

from edgekit.chat.events import Finished
from edgekit.chat.message import Message, user
from edgekit.chat.session import Session
from edgekit.errors import EdgekitError, UnsupportedError
from edgekit.tui.answer import Answer
from edgekit.tui.attach import AttachScreen
from edgekit.tui.attachment import Attachment, read_attachment
from edgekit.tui.chips import Chips
from edgekit.tui.commands import parse_command
from edgekit.tui.composer import Composer
from edgekit.tui.conversation import Conversation
from edgekit.tui.help import HelpScreen
from edgekit.tui.model import Model
from edgekit.tui.notice import Notice, explain
from edgekit.tui.pasted import as_path, pasted_files
from edgekit.tui.printable import printable
from edgekit.tui.question import Question
from edgekit.tui.status import StatusLine
from edgekit.tui.welcome import Welcome


class ChatScreen(Screen[None]):
    """Talks to one model."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "stop", "Stop the answer"),
        Binding("ctrl+c", "copy_or_stop", "Copy the selection, or stop", priority=True),
        Binding("ctrl+t", "think", "Thinking on or off"),
        Binding("ctrl+o", "attach", "Attach a picture or a sound"),
        Binding("ctrl+n", "new", "New conversation"),
        Binding("f1", "help", "Help"),
    ]

    def __init__(self, model: Model, *, toy: bool, folder: Path, attachments: Sequence[Attachment] = ()) -> None:
        super().__init__()
        self._model = model
        self._toy = toy
        self._folder = folder
        self._first = attachments
        self.history: list[Message] = []
        self._turn: Worker[None] | None = None
        self._nearly_full = False

    @property
    def answering(self) -> bool:
        """Whether a turn is going on."""
        return self._turn is not None and self._turn.is_running

    def compose(self) -> ComposeResult:
        """Lay them out from top to bottom."""
        with Conversation():
            yield Welcome(toy=self._toy)
        yield Chips()
        yield Composer()
        yield StatusLine()

    def on_mount(self) -> None:
        """Let a person type at once."""
        self.query_one(Chips).add(*self._first)
        self.query_one(Composer).focus()

    def show_loaded(self, session: Session) -> None:
        """Put the loaded model into the status line."""
        engine = session.engine
        # llama.cpp describes a model as "architecture size quantization".
        quantization = engine.description.split(maxsplit=2)[-1]
        self.status.change(
            model=printable(f"{engine.name} {quantization}"),
            context=engine.context,
            thinking=session.think,
            activity="",
        )

    @property
    def status(self) -> StatusLine:
        """Return the line at the bottom."""
        return self.query_one(StatusLine)

    @on(Composer.Submitted)
    async def _submitted(self, event: Composer.Submitted) -> None:
        chips, composer = self.query_one(Chips), self.query_one(Composer)
        files = pasted_files(event.text)
        try:
            command = None if files else parse_command(event.text)
        except EdgekitError as problem:
            await self.complain(problem)
            return
        if files:
            composer.accept()
            self.attach(files)
        elif command:
            composer.accept()
            await self._run_command(*command)
        elif not self.answering and (event.text or chips.attachments):
            composer.accept()
            self._turn = self._ask(event.text, chips.take())

    async def _run_command(self, name: str, argument: str) -> None:
        if name == "attach" and argument:
            self.attach(pasted_files(argument) or [as_path(argument)])
        elif name == "system":
            await self._set_system(argument)
        elif name == "theme":
            await self.run_action("app.switch_theme")
        elif name == "quit":
            await self.run_action("app.quit")
        else:
            await self.run_action(f"screen.{name}")

    @on(Composer.Dropped)
    def _dropped(self, event: Composer.Dropped) -> None:
        self.attach(event.paths)

    @on(Composer.RemovedLast)
    def _removed_last(self) -> None:
        self.query_one(Chips).remove_last()

    @work
    async def _ask(self, text: str, attachments: Sequence[Attachment]) -> None:
        question = user(text, *(attachment.media for attachment in attachments))
        answer = Answer()
        self._show_answering(True)
        await self._say(Question(text, attachments), follow=True)
        await self._say(answer)
        try:
            await self._take_turn(question, answer)
        except Exception as problem:
            await answer.abandon()
            await self.complain(problem)
            self.query_one(Composer).give_back(text)
            self.query_one(Chips).add(*attachments)
        self._show_answering(False)

    async def turn_over(self) -> None:
        """Wait until everything that the model said is shown."""
        if self._turn is not None and self.answering:
            await self._turn.wait()

    async def _take_turn(self, question: Message, answer: Answer) -> None:
        async for event in self._model.answer([*self.history, question]):
            await answer.feed(event)
            if isinstance(event, Finished):
                await self._keep(question, event)
            else:
                self.status.status = self.status.status.during(event)
        await answer.abandon()

    async def _keep(self, question: Message, turn: Finished) -> None:
        # A turn that was stopped before its first word would only confuse the next one.
        if turn.message.parts or turn.message.tool_calls:
            self.history += [question, turn.message]
        before, after = self._nearly_full, self.status.status.after(turn)
        self.status.status, self._nearly_full = after, after.nearly_full
        if after.nearly_full and not before:
            await self._say(Notice(f"the context is nearly full ({after.used} of {after.context}): /new begins anew"))

    def _show_answering(self, answering: bool) -> None:
        composer = self.query_one(Composer)
        composer.set_class(answering, "busy")
        composer.border_subtitle = "Esc stops" if answering else ""
        if not answering or self._model.loaded.is_set():
            self.status.change(activity="reading" if answering else "")

    async def _say(self, widget: Widget, *, follow: bool = False) -> None:
        await self.query(Welcome).remove()
        await self.query_one(Conversation).add(widget, follow=follow)

    async def complain(self, problem: Exception) -> None:
        """Say in one line what went wrong, and go on."""
        await self._say(Notice(explain(problem), "error"), follow=True)

    @work
    async def attach(self, paths: Sequence[Path]) -> None:
        """Attach files to the next question."""
        for path in paths:
            await self._attach_one(path)

    async def _attach_one(self, path: Path) -> None:
        try:
            attachment = await asyncio.to_thread(read_attachment, path)
            self._check_taken(attachment)
        except Exception as problem:
            await self.complain(problem)
        else:
            self.query_one(Chips).add(attachment)

    def _check_taken(self, attachment: Attachment) -> None:
        if (session := self._model.session) is None:
            return
        engine, name = session.engine, attachment.media.path.name
        if attachment.media.kind == "image" and not engine.takes_pictures:
            raise UnsupportedError(f"{engine.name} was loaded without eyes: it cannot take {name}")
        if attachment.media.kind == "audio" and not engine.takes_sound:
            raise UnsupportedError(f"{engine.name} was loaded without ears: it cannot take {name}")

    @work
    async def action_attach(self) -> None:
        """Choose a file."""
        path = await self.app.push_screen_wait(AttachScreen(self._folder))
        if path is not None:
            self._folder = path.parent
            self.attach([path])

    def action_stop(self) -> None:
        """Stop the answer; what is there stays."""
        self._model.stop()

    def action_copy_or_stop(self) -> None:
        """Copy what is selected; stop the answer where nothing is."""
        selected = self.query_one(Composer).selected_text or self.get_selected_text()
        if selected:
            self.app.copy_to_clipboard(selected)
        elif self.answering:
            self.action_stop()
        else:
            self.notify("Ctrl+Q leaves", timeout=4)

    async def action_think(self) -> None:
        """Turn thinking on or off."""
        if (session := self._model.session) is None:
            await self.complain(EdgekitError("the model is still being loaded"))
            return
        if not session.engine.takes_thinking:
            await self.complain(UnsupportedError(f"{session.engine.name} has no thought channel"))
            return
        session.think = not session.think
        self.status.change(thinking=session.think)

    async def action_new(self) -> None:
        """Begin a new conversation."""
        self._model.stop()
        await self.turn_over()
        self.history.clear()
        conversation = self.query_one(Conversation)
        await conversation.clear()
        await conversation.add(Welcome(toy=self._toy))
        self._nearly_full = False
        self.status.change(used=0, prefill=0, decode=0)

    async def _set_system(self, text: str) -> None:
        if (session := self._model.session) is None:
            await self.complain(EdgekitError("the model is still being loaded"))
            return
        session.system = text or None
        await self._say(Notice(f"system prompt: {text}" if text else "no system prompt"))

    async def action_copy(self) -> None:
        """Copy the last answer."""
        if not self.history:
            await self.complain(EdgekitError("there is no answer to copy yet"))
            return
        self.app.copy_to_clipboard(self.history[-1].text)
        self.notify("copied", timeout=2)

    def action_help(self) -> None:
        """List keys and commands."""
        self.app.push_screen(HelpScreen())

    def action_page(self, direction: int) -> None:
        """Scroll the conversation by a page."""
        conversation = self.query_one(Conversation)
        if direction < 0:
            conversation.scroll_page_up(animate=False)
        else:
            conversation.scroll_page_down(animate=False)
