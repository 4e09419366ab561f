"""The list of saved conversations: searched, opened, renamed, forked, exported and deleted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input
from textual.worker import Worker

from edgekit.chat.rows import Summary
from edgekit.errors import EdgekitError
from edgekit.tui.conversation_list import ConversationList
from edgekit.tui.exporting import export_conversation
from edgekit.tui.printable import printable
from edgekit.tui.saving import Saving

_KEYS = "Enter opens · ^F forks · ^R renames · ^E exports · ^D deletes"


@dataclass(frozen=True)
class Chosen:
    """The conversation to go on with, or a copy of it."""

    id: int
    fork: bool = False


@dataclass(frozen=True)
class _Mode:
    """What the line above the list is for; Enter gives its text to `enter` with the conversation that it is about."""

    prompt: str
    # Another one may be highlighted by then: by a click, or when a search ends.
    about: Summary
    enter: Callable[[Summary, str], object]


class ConversationsScreen(ModalScreen["Chosen | None"]):
    """Returns what to go on with; None where Esc was pressed."""

    KEY_HELP = (
        ("Type", "search"),
        ("Up, Down", "choose a conversation"),
        ("Enter", "go on with it"),
        ("Ctrl+F", "go on with a copy of it"),
        ("Ctrl+R", "rename it"),
        ("Ctrl+E", "export it"),
        ("Ctrl+D, twice", "delete it for good"),
        ("Esc", "close"),
    )
    # Before the keys of the line, which would move its cursor.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Close", priority=True),
        Binding("ctrl+c", "leave", show=False, priority=True),
        Binding("up", "move('cursor_up')", show=False, priority=True),
        Binding("down", "move('cursor_down')", show=False, priority=True),
        Binding("pageup", "move('page_up')", show=False, priority=True),
        Binding("pagedown", "move('page_down')", show=False, priority=True),
        Binding("ctrl+f", "fork", show=False, priority=True),
        Binding("ctrl+r", "rename", show=False, priority=True),
        Binding("ctrl+e", "export", show=False, priority=True),
        Binding("ctrl+d", "delete", show=False, priority=True),
    ]

    def __init__(self, saving: Saving) -> None:
        super().__init__()
        self._saving = saving
        self._mode: _Mode | None = None
        self._searched = ""
        self._searching: Worker[None] | None = None
        # What Ctrl+D was pressed for once.
        self._condemned: Summary | None = None

    def compose(self) -> ComposeResult:
        """Show the line above the list."""
        with Vertical() as box:
            box.border_title = "Conversations"
            yield Input(placeholder="search", compact=True)
            yield ConversationList()

    def on_mount(self) -> None:
        """List them all."""
        self._say(_KEYS)
        self._search()

    @property
    def _chosen(self) -> Summary | None:
        return self.query_one(ConversationList).chosen

    def _say(self, text: str) -> None:
        self.query_one(Vertical).border_subtitle = Content(printable(text))

    def _search(self, keep: int | None = None) -> None:
        self._searching = self._find(keep)

    @work(exclusive=True)
    async def _find(self, keep: int | None) -> None:
        try:
            found = await self._saving.run(lambda store: store.summaries(self._searched))
        except EdgekitError as problem:
            self._say(str(problem))
            return
        self._show(found, keep)

    def _show(self, found: list[Summary], keep: int | None) -> None:
        self.query_one(ConversationList).show(found, self._saving.id, keep)
        if not found:
            self._say("nothing found · Esc closes" if self._searched else "nothing was said yet · Esc closes")
        elif self._mode is None:
            self._say(_KEYS)

    @on(Input.Changed)
    def _typed(self) -> None:
        # Not the event's text: the line may be for something else by now.
        text = self.query_one(Input).value
        if self._mode is None and text != self._searched:
            self._searched = text
            self._search()

    @on(ConversationList.OptionHighlighted)
    def _moved(self) -> None:
        if self._condemned is not None and self._condemned is not self._chosen:
            self._condemned = None
            self._say(_KEYS)

    @on(Input.Submitted)
    async def _entered(self, event: Input.Submitted) -> None:
        if (mode := self._mode) is not None:
            self._leave_mode()
            mode.enter(mode.about, event.value)
            return
        # What is typed fast is still being searched.
        if self._searching is not None:
            await self._searching.wait()
        if self._chosen is not None:
            self.dismiss(Chosen(self._chosen.id))

    @on(ConversationList.OptionSelected)
    def _clicked(self) -> None:
        if self._chosen and self._mode is None:
            self.dismiss(Chosen(self._chosen.id))

    def action_move(self, how: str) -> None:
        """Move in the list while the cursor stays in the line."""
        if self._mode is None:
            getattr(self.query_one(ConversationList), f"action_{how}")()

    def action_leave(self) -> None:
        """Go back to searching; close where that is what goes on."""
        if self._mode is not None:
            self._leave_mode()
        elif self._condemned is not None:
            self._condemned = None
            self._say(_KEYS)
        else:
            self.dismiss(None)

    def action_fork(self) -> None:
        """Go on with a copy."""
        if self._chosen and self._mode is None:
            self.dismiss(Chosen(self._chosen.id, fork=True))

    def action_rename(self) -> None:
        """Ask for another title."""
        if chosen := self._chosen:
            self._enter_mode(_Mode("Enter renames · Esc leaves it", chosen, self._rename), chosen.title)

    def action_export(self) -> None:
        """Ask for a file."""
        if chosen := self._chosen:
            prompt = "Enter exports: NAME.md or NAME.json, then --thinking for thoughts · Esc leaves it"
            self._enter_mode(_Mode(prompt, chosen, self._export), "")

    def action_delete(self) -> None:
        """Delete for good, when asked twice."""
        chosen = self._chosen
        if chosen is None or self._mode is not None:
            return
        if chosen.id == self._saving.id:
            self._say("this one is open: Ctrl+N begins another one, then it can be deleted")
        elif self._condemned is not chosen:
            self._condemned = chosen
            self._say("Ctrl+D again deletes it for good · Esc leaves it")
        else:
            self._condemned = None
            self._do(f"deleted {chosen.title!r}", lambda: self._saving.run(lambda store: store.delete(chosen.id)))

    def _enter_mode(self, mode: _Mode, text: str) -> None:
        self._mode = mode
        line = self.query_one(Input)
        line.value = text
        line.cursor_position = len(text)
        self._say(mode.prompt)

    def _leave_mode(self) -> None:
        self.query_one(Input).value = self._searched
        self._mode = None
        self._say(_KEYS)

    def _rename(self, chosen: Summary, title: str) -> None:
        self._do("renamed", lambda: self._saving.run(lambda store: store.rename(chosen.id, title)), chosen.id)

    def _export(self, chosen: Summary, words: str) -> None:
        self._do("exported", lambda: export_conversation(self._saving, chosen.id, words), chosen.id)

    @work
    async def _do(self, done: str, what: Callable[[], Awaitable[object]], keep: int | None = None) -> None:
        try:
            result = await what()
        except EdgekitError as problem:
            self._say(str(problem))
            return
        self._search(keep)
        self.notify(printable(f"exported to {result}" if isinstance(result, Path) else done), markup=False, timeout=4)
