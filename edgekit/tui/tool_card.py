"""A tool call that the model asks for: shown, allowed or refused, answered."""

from __future__ import annotations

import json
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.markup import escape
from textual.widgets import Collapsible, Static

from edgekit.chat.events import ToolAnswered
from edgekit.chat.message import Message, ToolCall
from edgekit.chat.permission import Asking, Verdict
from edgekit.tui.composer import Composer
from edgekit.tui.printable import printable

# Seconds: keys that are typed just when the question appears must not answer it.
_CARE = 0.5
_BEGINNING = 50
# What a person reads of a result; the model reads more.
_LONGEST = 20_000


class ToolCard(Vertical):
    """Shows the tool's name and arguments, asks where it has to, then shows what came of it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "reply('once')", "Call the tool, this once"),
        Binding("a", "reply('always')", "Call it now and whenever the model asks"),
        Binding("n", "reply('never')", "Do not call it"),
    ]

    def __init__(self, call: ToolCall) -> None:
        super().__init__()
        self.call = call
        self._asking: Asking | None = None
        self._answered = False
        self._state = Static(classes="state")

    def compose(self) -> ComposeResult:
        """Show the call as the model wrote it."""
        lines = [
            Content.assemble("\n  ", (f"{printable(name)} ", "$text-muted"), printable(_json(value)))
            for name, value in self.call.arguments.items()
        ]
        yield Static(Content.assemble(("⚙ ", "$secondary"), (printable(self.call.name), "bold"), *lines))
        yield self._state

    def ask(self, asking: Asking) -> None:
        """Ask whether the tool may be called."""
        self._asking = asking
        self.add_class("asks")
        self._state.update(Content("…"))
        self.set_timer(_CARE, self._listen)

    def _listen(self) -> None:
        if self._asking is None:
            return
        self.can_focus = True
        composer = self.screen.query(Composer)
        # Whoever is typing goes on typing; Shift+Tab leads here.
        if not any(one.text for one in composer):
            self.focus()
        else:
            self._show_keys(here=False)

    def on_focus(self) -> None:
        """Say which keys there are now."""
        self._show_keys(here=True)

    def on_blur(self) -> None:
        """Say how to come back."""
        self._show_keys(here=False)

    def _show_keys(self, *, here: bool) -> None:
        if self._asking is not None:
            first = "call it?" if here else "call it? Shift+Tab, then"
            self._state.update(Content(f"{first}  y once · a always · n never"))

    def action_reply(self, verdict: Verdict) -> None:
        """Pass the person's word on."""
        if self._asking is not None:
            self._asking.reply(verdict)
            self._over("calling…" if verdict != "never" else "")

    async def show_answer(self, event: ToolAnswered) -> None:
        """Show what the tool said, folded."""
        await self._fold(ToolAnswer(event.message.text, event.seconds))

    async def recall(self, message: Message | None) -> None:
        """Show what the tool said another day; None where nothing is kept."""
        if message is None:
            self.abandon()
        else:
            await self._fold(ToolAnswer(message.text))

    def abandon(self) -> None:
        """Say that the call has no answer, where it has none."""
        if not self._answered:
            self._over("no answer")

    async def _fold(self, answer: ToolAnswer) -> None:
        self._answered = True
        self._over("")
        await self.mount(answer)

    def _over(self, state: str) -> None:
        self._asking = None
        self.remove_class("asks")
        self._state.update(Content(state))
        self._state.display = bool(state)
        if self.has_focus:
            for composer in self.screen.query(Composer):
                composer.focus()
        self.can_focus = False


class ToolAnswer(Collapsible):
    """What a tool said, folded behind how long it took and how it begins."""

    def __init__(self, said: str, seconds: float | None = None) -> None:
        text = printable(_readable(said))
        cut = f"{text[:_LONGEST]}\n… {len(text) - _LONGEST} characters more" if len(text) > _LONGEST else text
        beginning = " ".join(text.split())
        short = beginning if len(beginning) <= _BEGINNING else f"{beginning[:_BEGINNING]}…"
        super().__init__(
            Static(Content(cut)),
            title=escape(short if seconds is None else f"{seconds:.1f} s · {short}"),
            collapsed_symbol="▸",
            expanded_symbol="▾",
        )
        self.set_class(_is_error(said), "error")


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _readable(text: str) -> str:
    value = _loaded(text)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def _is_error(text: str) -> bool:
    value = _loaded(text)
    return isinstance(value, dict) and value.keys() == {"error"}


def _loaded(text: str) -> object:
    try:
        value: object = json.loads(text)
    except ValueError:
        return text
    return value
