"""The application: paints at once, loads the model, and leaves cleanly at any moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from textual import work
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.filter import LineFilter
from textual.screen import Screen
from textual.theme import BUILTIN_THEMES
from textual.worker import WorkerFailed

from edgekit import paths
from edgekit.chat.calling import LIMIT
from edgekit.chat.permission import Permission
from edgekit.errors import EdgekitError
from edgekit.tui.attachment import Attachment
from edgekit.tui.chat_screen import ChatScreen
from edgekit.tui.clipboard import copy_through_tmux
from edgekit.tui.commands import COMMANDS
from edgekit.tui.composer import Composer
from edgekit.tui.console import dark_theme
from edgekit.tui.ending import has_shell, on_ending
from edgekit.tui.gauges import Gauges, read_gauges
from edgekit.tui.graphics import BLOCKS, Graphics
from edgekit.tui.help import HelpScreen
from edgekit.tui.keys import check_keys, key_names, remappable
from edgekit.tui.loading import Loading
from edgekit.tui.model import Model, OpenSession
from edgekit.tui.pulling import Pulling, go_on_with
from edgekit.tui.settings import Settings, read_settings
from edgekit.tui.theme import THEMES

# Seconds that leaving waits for native code: one batch of a large model on a small board.
_PATIENCE = 5.0


class ChatApp(App[Exception]):
    """Talks to a model; its result is why it could not go on."""

    TITLE = "edgekit chat"
    CSS_PATH = sorted(Path(__file__).parent.glob("*.tcss"))
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "help", "Help", priority=True, id="help"),
        Binding("ctrl+z", "suspend_process", "Back to the shell; fg returns", priority=True, id="suspend"),
        Binding("ctrl+q", "quit", "Leave", priority=True, id="quit"),
    ]

    def __init__(
        self,
        open_session: OpenSession,
        *,
        name: str,
        toy: bool = False,
        folder: Path | None = None,
        attachments: Sequence[Attachment] = (),
        opener: Callable[[str], OpenSession] | None = None,
        settings: Settings = Settings(),  # noqa: B008 - frozen
        graphics: Graphics = BLOCKS,
        filters: Sequence[LineFilter] = (),
        gauges: Callable[[], Gauges] = read_gauges,
        advice: Callable[[], Sequence[str]] = tuple,
        permission: Permission | None = None,
        tool_timeout: float = LIMIT,
        conversation: int | None = None,
    ) -> None:
        super().__init__()
        for theme in THEMES.values():
            self.register_theme(theme)
        self.model = Model(open_session, permission, tool_timeout)
        self._loader = Loading(self, self.model, name, opener)
        self._chosen = dict(settings.keys)
        self._more_filters = filters
        self.choose_theme(settings.theme)
        self.chat = ChatScreen(
            self.model,
            toy=toy,
            folder=folder or Path.cwd(),
            attachments=attachments,
            graphics=graphics,
            gauges=gauges,
            advice=advice,
            model_name=lambda: self._loader.name,
            conversation=conversation,
        )

        self._pulling = Pulling(self.chat)

    @property
    def key_table(self) -> dict[str, str]:
        """Return the keys of every action that may be given others."""
        return {name: self._chosen.get(name, binding.key) for name, binding in BOUND.items()}

    def on_mount(self) -> None:
        """Paint, then load."""
        on_ending(partial(self.call_later, self.action_quit))
        self.set_keymap(self._chosen)
        self.push_screen(self.chat)
        self._load()

    @work
    async def _load(self) -> None:
        try:
            await self._loader.first()
        except Exception as problem:
            self.exit(problem, return_code=1)

    @work(group="switch")
    async def switch_model(self, name: str) -> None:
        """Go on with another model; with the former one where it cannot be loaded."""
        try:
            await self._loader.switch(name)
        except Exception as problem:
            self.exit(problem, return_code=1)

    @work(group="pull")
    async def pull_model(self, name: str) -> None:
        """Download a model and go on with it."""
        try:
            if came := await self._pulling.pull(name):
                await go_on_with(self.chat, came)
        except EdgekitError as problem:
            await self.chat.complain(problem)

    def _handle_exception(self, error: Exception) -> None:
        # Textual prints tracebacks; the command line says one line, and shows the rest with --debug.
        if self.is_headless:
            super()._handle_exception(error)
        else:
            inner = error.error if isinstance(error, WorkerFailed) else error
            self.exit(inner if isinstance(inner, Exception) else error, return_code=1)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """List the conversation's actions and commands in the palette, above the application's."""
        if screen is self.chat:
            for owner, table in (("screen", ChatScreen.BINDINGS), ("app", ChatApp.BINDINGS)):
                for name, binding in remappable(table).items():
                    action = partial(screen.run_action, f"{owner}.{binding.action}")
                    yield SystemCommand(binding.description, f"Key {key_names(self.key_table[name])}", action)
            for command in COMMANDS:
                yield SystemCommand(command.usage, command.help, partial(self.chat.asking.begin_command, command))
        yield from super().get_system_commands(screen)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Add those of this terminal to Textual's own."""
        return [*super().get_line_filters(), *self._more_filters]

    def copy_to_clipboard(self, text: str) -> None:
        """Hand text to the terminal (OSC 52), and to tmux where it lies between."""
        super().copy_to_clipboard(text)
        copy_through_tmux(text)

    async def action_quit(self) -> None:
        """Leave: stop what runs and give the memory back."""
        self.chat.status.change(activity="leaving")
        patience = _PATIENCE if self.model.loaded.is_set() else 0.5
        await self.model.rest(patience)
        if self.model.session is not None and not self.model.running:
            await self.chat.turns.over()
            self.chat.keep_state()
        await self.model.close(patience)
        await self.chat.saving.close()
        self.exit()

    def action_suspend_process(self) -> None:
        """Go back to the shell."""
        if has_shell():
            super().action_suspend_process()
        else:
            self.notify("there is no shell to go back to; Ctrl+Q leaves", timeout=4)

    def action_help(self) -> None:
        """List keys and commands, on every screen; again, or Esc, closes the list."""
        if isinstance(self.screen, HelpScreen):
            self.screen.dismiss()
            return
        rows = [(key_names(self.key_table[name]), binding.description) for name, binding in BOUND.items()]
        self.push_screen(HelpScreen(rows, getattr(self.screen, "KEY_HELP", ())))

    def action_switch_theme(self) -> None:
        """Change between dark and light."""
        self.choose_theme("light" if self.current_theme.dark else dark_theme())

    def choose_theme(self, name: str) -> None:
        """Take a theme by name; EdgekitError where there is none."""
        if name not in theme_names():
            raise EdgekitError(f"there is no theme {name!r}: there are {', '.join(sorted(theme_names()))}")
        self.theme = THEMES[name].name if name in THEMES else name

    def choose_key(self, action: str, keys: str) -> str:
        """Change the keys of an action from now on; return what to write to keep it."""
        chosen = {**self._chosen, action: keys}
        check_keys(chosen, BOUND)
        self._chosen = chosen
        self.set_keymap(chosen)
        return f'{action} is {key_names(keys)} now; to keep it, write {action} = "{keys}" under [keys] in ' + str(
            paths.settings_file()
        )


BOUND = remappable(Composer.BINDINGS, ChatScreen.BINDINGS, ChatApp.BINDINGS)


def theme_names() -> set[str]:
    """Return every theme that can be chosen."""
    return {*THEMES, *BUILTIN_THEMES}


def saved_settings() -> Settings:
    """Return what the person's own file says; FileError names a mistake in it."""
    return read_settings(paths.settings_file(), BOUND, theme_names(), dark_theme())
