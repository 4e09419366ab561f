"""What is typed and attached, and how Enter makes a question or a command of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgekit.chat.message import Message
from edgekit.chat.saved import Draft
from edgekit.errors import EdgekitError
from edgekit.tui.attachment import Attachment
from edgekit.tui.chips import Chips
from edgekit.tui.commands import Command, parse_command
from edgekit.tui.composer import Composer
from edgekit.tui.pasted import pasted_files
from edgekit.tui.slash import run_command

if TYPE_CHECKING:
    from edgekit.tui.chat_screen import ChatScreen


class Asking:
    """Asks what stands in the composer of a screen."""

    def __init__(self, screen: ChatScreen) -> None:
        self._screen = screen
        # Held here, because what is typed is saved once more while the screen is taken apart.
        self.composer, self.chips = Composer(), Chips()

    @property
    def draft(self) -> Draft:
        """Return what is typed and attached; a command's name is none of it."""
        text = self.composer.text
        is_command = text.startswith("/") and " " not in text
        media = tuple(attachment.media for attachment in self.chips.attachments)
        return Draft("" if is_command else text, media)

    def take(self) -> tuple[str, tuple[Attachment, ...]]:
        """Empty what is typed and attached; returns it."""
        text = self.composer.text
        self.composer.clear()
        self.composer.border_title = ""
        return text, self.chips.take()

    def begin(self, text: str, attachments: Sequence[Attachment]) -> None:
        """Put a question before what is typed."""
        self.chips.add(*attachments)
        self.composer.begin(text)

    def fill(self, text: str, attachments: Sequence[Attachment], title: str = "") -> None:
        """Put a question in place of what is typed."""
        self.take()
        self.begin(text, attachments)
        self.composer.border_title = title

    def give_back(self, text: str, attachments: Sequence[Attachment]) -> None:
        """Put a question that could not be asked back where it was typed."""
        self.composer.give_back(text)
        self.chips.add(*attachments)

    def begin_command(self, command: Command) -> None:
        """Run a command that was chosen from the palette, or let a person type its argument."""
        if command.waits_for_enter:
            self.composer.begin(f"/{command.name} ")
        else:
            self._screen.run_worker(self._run_command(command.name, ""))

    async def submit(self, typed: str) -> None:
        """Attach the files that were typed or pasted, run the command, or ask the question."""
        screen, text = self._screen, typed.strip()
        files = pasted_files(text)
        try:
            command = None if files else parse_command(text)
        except EdgekitError as problem:
            # As after every command that fails: Up brings it back.
            self.composer.remember(typed)
            await screen.complain(problem)
            return
        is_empty = not (text or self.chips.attachments or screen.attaching.reading)
        if not files and not command and (screen.answering or is_empty):
            self.composer.take_back(typed)
            return
        self.composer.remember(typed)
        if files:
            screen.attaching.attach(files)
        elif command:
            await self._run_command(*command)
        else:
            await self._ask(text)

    async def _run_command(self, name: str, argument: str) -> None:
        try:
            await run_command(self._screen, name, argument)
        except EdgekitError as problem:
            await self._screen.complain(problem)

    async def _ask(self, text: str) -> None:
        screen = self._screen
        self.composer.border_title = ""
        instead, screen.past.edited = screen.past.edited, None
        if screen.attaching.reading or screen.past.at_work:
            screen.run_worker(self._ask_later(text, instead))
            return
        try:
            screen.turns.ask(text, self.chips.take(), instead)
        except EdgekitError as problem:
            await screen.complain(problem)

    async def _ask_later(self, text: str, instead: Message | None) -> None:
        """Ask once the conversation is open and what was attached is read; give the question back where that fails."""
        screen = self._screen
        await screen.past.over()
        try:
            if await screen.attaching.read() and not screen.answering:
                screen.turns.ask(text, self.chips.attachments, instead)
                self.chips.take()
                return
        except EdgekitError as problem:
            await screen.complain(problem)
        else:
            screen.past.edited = instead
        self.give_back(text, ())
