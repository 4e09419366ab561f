"""`edgekit chat --plain`: a conversation line by line, without a single escape code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from edgekit.chat import settings, shorten
from edgekit.chat.calling import LIMIT
from edgekit.chat.events import TextPiece, ThoughtPiece, ToolAsked, ToolCallPiece
from edgekit.chat.message import Message, user
from edgekit.chat.permission import Permission
from edgekit.chat.rounds import Answer, answer_with_tools
from edgekit.chat.session import Session
from edgekit.cli import output
from edgekit.cli.interrupt import interruptible
from edgekit.cli.plain_attachments import PlainAttachments
from edgekit.cli.plain_saving import PlainSaving
from edgekit.cli.tool_options import ask, written
from edgekit.errors import EdgekitError, UnsupportedError
from edgekit.tui.attachment import Attachment
from edgekit.tui.commands import COMMANDS, parse_command
from edgekit.tui.pasted import pasted_files
from edgekit.tui.printable import printable

PROMPT = "> "
_HOW_IT_ENDS = "\nCtrl+D ends"


class PlainChat:
    """Reads questions from stdin, writes answers to stdout and everything else to stderr."""

    def __init__(
        self,
        session: Session,
        saving: PlainSaving,
        attachments: Sequence[Attachment] = (),
        permission: Permission | None = None,
        tool_timeout: float = LIMIT,
        history: Sequence[Message] = (),
    ) -> None:
        self._session, self._saving = session, saving
        self._permission, self._tool_timeout = permission or Permission(asks=False), tool_timeout
        self._history = list(history)
        self._failed = False
        self._attachments = PlainAttachments(session.engine, attachments)
        self._commands: dict[str, Callable[[str], None]] = {
            "attach": self._attachments.attach,
            "paste": self._attachments.paste,
            "system": self._system,
            "set": self._set,
            "think": self._think,
            "compact": self._compact,
            "drop": self._drop,
            "new": self._new,
            "help": self._help,
        }

    def run(self) -> bool:
        """Talk until the input ends; return whether all went well, which in a terminal it always does."""
        output.tell("/help lists commands; Ctrl+C stops an answer, Ctrl+D ends; a line that ends in \\ goes on")
        try:
            while (line := self._read()) is not None and line != "/quit":
                self._try(line)
        finally:
            self._saving.close(self._history)
        return not self._failed or sys.stdin.isatty()

    def _try(self, line: str) -> None:
        try:
            self._take(line)
        except EdgekitError as problem:
            self._failed = True
            output.tell(f"error: {printable(str(problem))}")
        except KeyboardInterrupt:
            # Behind an answer, before the next prompt.
            output.tell(_HOW_IT_ENDS)

    def _read(self) -> str | None:
        lines: list[str] = []
        while True:
            if not lines:
                output.tell(PROMPT, end="")
            line = _line()
            if line is None:
                lines.clear()
                continue
            text = line.rstrip("\r\n")
            lines.append(text.removesuffix("\\"))
            if not line:
                return "\n".join(lines).strip() or None
            if not text.endswith("\\"):
                return "\n".join(lines).strip()

    def _take(self, line: str) -> None:
        if files := pasted_files(line):
            self._attachments.add(files)
        elif command := parse_command(line):
            self._run(*command)
        elif line or self._attachments.media:
            self._ask(user(line, *self._attachments.media))

    def _ask(self, question: Message) -> None:
        self._saving.asked(question)
        try:
            kept = self._answer([*self._history, question]).messages
        except EdgekitError:
            # As in the application: they are for the next try.
            self._attachments.tell_kept()
            raise
        self._attachments.clear()
        if kept:
            self._history += [question, *kept]
        self._saving.keep(self._history)

    def _run(self, name: str, argument: str) -> None:
        if name in self._commands:
            self._commands[name](argument)
        else:
            raise UnsupportedError(f"/{name} works without --plain only")

    def _answer(self, messages: Sequence[Message]) -> Answer:
        finished, thinking = None, False
        with interruptible() as stop:
            for event in answer_with_tools(
                self._session, messages, stop, permission=self._permission, limit=self._tool_timeout
            ):
                if isinstance(event, TextPiece):
                    output.write(printable(event.text))
                elif isinstance(event, ThoughtPiece) and not thinking:
                    thinking = True
                    output.tell("(thinking)")
                elif isinstance(event, ToolCallPiece):
                    output.tell(f"the model asks for {printable(written(event.call))}")
                elif isinstance(event, ToolAsked):
                    ask(event, output.tell, stop)
                elif isinstance(event, Answer):
                    finished = event
        assert finished is not None
        output.write("\n")
        self._say_how_it_ended(finished)
        return finished

    def _say_how_it_ended(self, finished: Answer) -> None:
        context = self._session.engine.context
        used = finished.usage.prompt_tokens + finished.usage.completion_tokens
        if finished.finish_reason == "cancelled":
            output.tell("stopped")
        elif finished.finish_reason == "length":
            output.tell("cut here: no room for more tokens")
        if used > 0.9 * context:
            output.tell(f"the context is nearly full ({used} of {context}): /compact, /drop or /new make room")

    def _system(self, text: str) -> None:
        self._session.system = text or None
        output.tell(f"system prompt: {printable(text)}" if text else "no system prompt")

    def _set(self, words: str) -> None:
        lines = [settings.change(self._session, words)] if words else settings.describe(self._session)
        output.tell("\n".join(lines))

    def _think(self, _: str) -> None:
        if not self._session.engine.takes_thinking:
            raise UnsupportedError(f"{self._session.engine.name} has no thought channel")
        self._session.think = not self._session.think
        output.tell(f"thinking {'on' if self._session.think else 'off'}")

    def _compact(self, _: str) -> None:
        if not self._history:
            raise EdgekitError("there is no conversation yet")
        finished = self._answer(shorten.summary_request(self._history))
        if finished.finish_reason == "cancelled" or not finished.answer.strip():
            output.tell("nothing has changed")
            return
        self._history = shorten.summarised(finished.answer.strip())
        self._saving.keep(self._history)
        output.tell("the conversation goes on from this summary")

    def _drop(self, count: str) -> None:
        turns = len(shorten.turns(self._history))
        if turns < 2:
            raise EdgekitError("there is nothing to forget but everything: /new begins anew")
        forgotten = shorten.turns_to_drop(count, turns)
        self._history = shorten.without_oldest(self._history, forgotten)
        self._saving.keep(self._history)
        output.tell(f"forgot the oldest {forgotten} of {turns} turns")

    def _new(self, _: str) -> None:
        self._saving.leave(self._history)
        self._history.clear()
        self._attachments.clear()
        output.tell("a new conversation")

    def _help(self, _: str) -> None:
        for command in COMMANDS:
            if command.name in self._commands or command.name == "quit":
                output.tell(f"{command.usage:<20} {command.help}")


def _line() -> str | None:
    """Return the next line of stdin, None where Ctrl+C took it back."""
    try:
        return sys.stdin.readline()
    except KeyboardInterrupt:
        output.tell(_HOW_IT_ENDS)
        return None
