"""The application: paints at once, loads the model, and leaves cleanly at any moment."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from textual import work
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.worker import WorkerFailed

from edgekit.tui.attachment import Attachment
from edgekit.tui.chat_screen import ChatScreen
from edgekit.tui.model import Model, OpenSession
from edgekit.tui.theme import DARK, LIGHT, THEMES

# Seconds that leaving waits for native code: one batch of a large model on a small board.
_PATIENCE = 5.0


class ChatApp(App[Exception]):
    """Talks to a model; its result is why it could not go on."""

    TITLE = "edgekit chat"
    CSS_PATH = sorted(Path(__file__).parent.glob("*.tcss"))
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+q", "quit", "Quit", priority=True)]

    def __init__(
        self,
        open_session: OpenSession,
        *,
        name: str,
        toy: bool = False,
        folder: Path | None = None,
        attachments: Sequence[Attachment] = (),
    ) -> None:
        super().__init__()
        for theme in THEMES.values():
            self.register_theme(theme)
        self.theme = DARK.name
        self.model = Model(open_session)
        self._asked_for = name
        self.chat = ChatScreen(self.model, toy=toy, folder=folder or Path.cwd(), attachments=attachments)

    def on_mount(self) -> None:
        """Paint, then load."""
        # Being killed must not leave a person with a terminal that is still in full-screen mode; not on Windows.
        with suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.call_later, self.action_quit)
        self.push_screen(self.chat)
        self._load()

    @work
    async def _load(self) -> None:
        status = self.chat.status
        status.change(model=self._asked_for, activity="loading")
        try:
            async for done, total, text in self.model.load():
                share = f" {done / total:.0%}" if total else ""
                status.change(activity=" ".join(f"loading{share} {text}".split()))
        except Exception as problem:
            self.exit(problem, return_code=1)
            return
        if self.model.session is not None:
            self.chat.show_loaded(self.model.session)

    def _handle_exception(self, error: Exception) -> None:
        # Textual prints tracebacks; the command line says one line, and shows the rest with --debug.
        if self.is_headless:
            super()._handle_exception(error)
        else:
            inner = error.error if isinstance(error, WorkerFailed) else error
            self.exit(inner if isinstance(inner, Exception) else error, return_code=1)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """List the conversation's actions in the palette, above the application's."""
        if screen is self.chat:
            for binding in ChatScreen.BINDINGS:
                assert isinstance(binding, Binding)
                action = partial(screen.run_action, binding.action)
                yield SystemCommand(binding.description, f"Key {binding.key.title()}", action)
        yield from super().get_system_commands(screen)

    async def action_quit(self) -> None:
        """Leave: stop what runs and give the memory back."""
        self.chat.status.change(activity="leaving")
        await self.model.close(_PATIENCE if self.model.loaded.is_set() else 0.5)
        if self.model.session is not None and not self.model.running:
            await self.chat.turn_over()
        self.exit()

    def action_switch_theme(self) -> None:
        """Change between dark and light."""
        self.theme = LIGHT.name if self.current_theme.dark else DARK.name
