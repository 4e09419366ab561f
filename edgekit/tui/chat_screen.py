"""The conversation, the composer and the status line, and what passes between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widget import Widget

from edgekit.chat.message import Message
from edgekit.chat.saved import Settings, lasting_name, settings_of, state_name
from edgekit.chat.session import Session
from edgekit.errors import EdgekitError, UnsupportedError
from edgekit.tui.asking import Asking
from edgekit.tui.attaching import Attaching
from edgekit.tui.attachment import Attachment
from edgekit.tui.chips import Chips
from edgekit.tui.composer import Composer
from edgekit.tui.conversation import Conversation
from edgekit.tui.gauges import Gauges, read_gauges
from edgekit.tui.graphics import BLOCKS, Graphics
from edgekit.tui.model import Model
from edgekit.tui.notice import Notice, explain
from edgekit.tui.past import Past
from edgekit.tui.printable import printable
from edgekit.tui.question import Question
from edgekit.tui.saving import Saving
from edgekit.tui.status import StatusLine
from edgekit.tui.turns import Turns
from edgekit.tui.welcome import Welcome

# Seconds between two looks at memory and heat.
_LOOK = 2.0


class ChatScreen(Screen[None]):
    """Talks to one model."""

    # With priority, so that no key that a person chooses means something else to the composer.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "stop", "Stop the answer", priority=True, id="stop"),
        Binding("ctrl+c", "copy_or_stop", "Copy the selection, or stop", priority=True, id="copy_or_stop"),
        Binding("ctrl+t", "think", "Thinking on or off", priority=True, id="think"),
        Binding("ctrl+o", "attach", "Attach a picture or a sound", priority=True, id="attach"),
        Binding("ctrl+n", "new", "New conversation", priority=True, id="new"),
        Binding("ctrl+l", "conversations", "List conversations, go on with one", priority=True, id="conversations"),
        Binding("ctrl+r", "regenerate", "Ask the last question again", priority=True, id="regenerate"),
    ]

    def __init__(
        self,
        model: Model,
        *,
        toy: bool,
        folder: Path,
        attachments: Sequence[Attachment] = (),
        graphics: Graphics = BLOCKS,
        gauges: Callable[[], Gauges] = read_gauges,
        advice: Callable[[], Sequence[str]] = tuple,
        model_name: Callable[[], str] = str,
        conversation: int | None = None,
    ) -> None:
        super().__init__()
        self._model = model
        self._toy, self._advice = toy, advice
        self._first = attachments
        self._gauges = gauges
        self.graphics = graphics
        self._model_name, self._conversation = model_name, conversation
        self.saving = Saving(
            None,
            lasting_name(model_name()),
            self._settings,
            lambda: self.asking.draft,
            self._hear,
            held=conversation is not None,
        )
        self.asking = Asking(self)
        self.past = Past(self, self.saving)
        self.turns = Turns(self, model)
        self.attaching = Attaching(self, model, folder, graphics)

    @property
    def history(self) -> list[Message]:
        """Return what was said so far."""
        return self.turns.history

    @property
    def answering(self) -> bool:
        """Whether a turn is going on."""
        return self.turns.answering

    @property
    def status(self) -> StatusLine:
        """Return the line at the bottom."""
        return self.query_one(StatusLine)

    @property
    def session(self) -> Session:
        """Return the loaded session; EdgekitError while there is none."""
        if self._model.session is None:
            raise EdgekitError("the model is still being loaded")
        return self._model.session

    @property
    def loaded_session(self) -> Session | None:
        """Return the session; None while the model is being loaded."""
        return self._model.session

    def compose(self) -> ComposeResult:
        """Lay them out from top to bottom."""
        with Conversation():
            yield self._welcome()
        yield self.asking.chips
        yield self.asking.composer
        yield StatusLine()

    def on_mount(self) -> None:
        """Let a person type at once."""
        self.asking.composer.focus()
        self.past.begin(self._open_first())
        self.set_interval(_LOOK, self._look)

    async def _open_first(self) -> None:
        self.asking.chips.add(*self._first)
        if self._conversation is None:
            await self.past.tell_unsent()
        else:
            await self.past.open_first(self._conversation)

    def _settings(self) -> Settings | None:
        session = self._model.session
        return None if session is None else settings_of(session, self._model_name())

    def _hear(self, line: str, is_error: bool) -> None:
        # While the application ends there is nothing to say it in.
        if self.query(Conversation):
            self.run_worker(self.say(Notice(line, "error" if is_error else "done"), follow=True))

    def _welcome(self) -> Welcome:
        return Welcome(toy=self._toy, advice=self._advice)

    def _look(self) -> None:
        seen = self._gauges()
        vitals = seen.vitals
        self.status.change(memory=seen.memory, temperature=vitals.temperature, limits=vitals.limits)

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
        self.past.apply_settings()

    def keep_state(self) -> None:
        """Keep what the model has read of the conversation, which is left now."""
        if self.history and self.saving.id is not None:
            self._model.keep_state(state_name(self.saving.id), self.history)

    def go_on_from_state(self, id: int) -> None:
        """Let the model go on with a conversation from what it had read of it."""
        self._model.go_on_from(state_name(id))

    def show_answering(self, answering: bool) -> None:
        """Show that a turn is going on, or that it is over."""
        composer = self.asking.composer
        composer.set_class(answering, "busy")
        composer.border_subtitle = "Esc stops" if answering else ""
        if not answering or self._model.loaded.is_set():
            self.status.change(activity="reading" if answering else "")

    async def say(self, widget: Widget, *, follow: bool = False) -> None:
        """Append to the conversation; `follow` returns to its end first."""
        await self.query(Welcome).remove()
        await self.query_one(Conversation).add(widget, follow=follow)

    async def complain(self, problem: Exception) -> None:
        """Say in one line what went wrong, and go on."""
        await self.say(Notice(explain(problem), "error"), follow=True)

    @on(Composer.Changed)
    @on(Chips.Changed)
    def _typed(self) -> None:
        self.saving.note()

    @on(Question.Revised)
    def _revised(self, event: Question.Revised) -> None:
        self.past.begin(self.past.edit(event.question) if event.how == "edit" else self.past.fork(event.question))

    @on(Composer.Submitted)
    async def _submitted(self, event: Composer.Submitted) -> None:
        await self.asking.submit(event.text)

    @on(Composer.Dropped)
    def _dropped(self, event: Composer.Dropped) -> None:
        self.attaching.attach(event.paths)

    @on(Composer.RemovedLast)
    def _removed_last(self) -> None:
        self.asking.chips.remove_last()

    def action_attach(self) -> None:
        """Choose a file."""
        self.attaching.browse()

    def action_stop(self) -> None:
        """Stop the answer, and what is there stays; or leave a question that was to be edited."""
        if not self.past.leave_edit():
            self._model.stop()

    def action_copy_or_stop(self) -> None:
        """Copy what is selected; stop the answer where nothing is."""
        selected = self.asking.composer.selected_text or self.get_selected_text()
        if selected:
            self.app.copy_to_clipboard(selected)
        elif self.answering:
            self.action_stop()
        else:
            self.notify("Ctrl+Q leaves", timeout=4)

    async def action_think(self) -> None:
        """Turn thinking on or off."""
        try:
            session = self.session
            if not session.engine.takes_thinking:
                raise UnsupportedError(f"{session.engine.name} has no thought channel")
        except EdgekitError as problem:
            await self.complain(problem)
            return
        session.think = not session.think
        self.status.change(thinking=session.think)

    async def action_new(self) -> None:
        """Begin a new conversation."""
        await self.turns.stop()
        self.keep_state()
        await self.turns.forget()
        self.past.leave_edit()
        await self.saving.begin()
        await self.query_one(Conversation).restart(self._welcome())

    def action_conversations(self) -> None:
        """List what was said before."""
        self.past.begin(self.past.choose())

    def action_regenerate(self) -> None:
        """Ask the last question again."""
        self.past.begin(self.past.regenerate())

    async def action_copy(self) -> None:
        """Copy the last answer."""
        if not self.history:
            await self.complain(EdgekitError("there is no answer to copy yet"))
            return
        self.app.copy_to_clipboard(self.history[-1].text)
        self.notify("copied", timeout=2)

    def action_page(self, direction: int) -> None:
        """Scroll the conversation by a page."""
        conversation = self.query_one(Conversation)
        if direction < 0:
            conversation.scroll_page_up(animate=False)
        else:
            conversation.scroll_page_down(animate=False)
