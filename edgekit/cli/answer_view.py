"""An answer as it comes: its text on stdout, thoughts, calls and questions on stderr."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

from edgekit.cli import output
from edgekit.cli.tool_options import ask, show_failure, written

if TYPE_CHECKING:
    from edgekit.chat.events import Event, ToolAsked


class AnswerView:
    """Shows the events of one answer; `quiet` shows only what a person has to decide."""

    def __init__(self, stop: threading.Event, *, quiet: bool) -> None:
        self._stop, self._quiet = stop, quiet
        self._written = self._called = False

    def show(self, event: Event) -> None:
        """Show the next event."""
        from edgekit.chat.events import TextPiece, ThoughtPiece, ToolAnswered, ToolAsked, ToolCallPiece
        from edgekit.tui.printable import printable

        if isinstance(event, ToolAsked):
            self._ask(event)
        elif self._quiet:
            return
        elif isinstance(event, TextPiece):
            # What was said before a call, and what comes after it.
            # What a model writes must not move the cursor of a terminal; whoever reads a pipe gets it as it is.
            text = printable(event.text) if sys.stdout.isatty() else event.text
            output.write(f"\n\n{text}" if self._written and self._called else text)
            self._written, self._called = True, False
        elif isinstance(event, ThoughtPiece):
            output.aside(printable(event.text))
        elif isinstance(event, ToolCallPiece):
            self._called = True
            output.hint(written(event.call))
        elif isinstance(event, ToolAnswered):
            show_failure(event)

    def end(self) -> None:
        """End the last line."""
        if self._written:
            output.write("\n")

    def _ask(self, event: ToolAsked) -> None:
        if self._quiet:
            output.hint(written(event.call))
        ask(event, output.hint, self._stop)
