"""What a newcomer reads first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from textual import work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

_KEYS = (
    ("Enter", "sends what you type below"),
    ("Ctrl+O", "shows it a picture or a sound; dropping a file here does too"),
    ("Ctrl+T", "lets it think first"),
    ("Esc", "stops it"),
    ("Ctrl+L", "lists earlier conversations: all are saved"),
    ("F1", "lists everything else"),
    ("Ctrl+Q", "leaves"),
)
_TOY = (
    "gemma4-pico is a bundled toy: it knows drawn shapes and spoken digits. "
    "Press Ctrl+O for a sample picture and ask: What is in this picture?"
)


class Welcome(Vertical):
    """Says what can be done here; leaves with the first message."""

    def __init__(self, *, toy: bool, advice: Callable[[], Sequence[str]] = tuple) -> None:
        super().__init__()
        self._toy, self._advice = toy, advice

    def compose(self) -> ComposeResult:
        """Name the keys that matter, and for the toy how to get a real model."""
        yield Static(Content.assemble(("edgekit chat", "bold $primary"), "  nothing leaves this machine"))
        rows = [Content.assemble((f"{key:<8}", "$accent"), text) for key, text in _KEYS]
        yield Static(Content("\n").join(rows), classes="keys")
        if self._toy:
            yield Static(Content(_TOY), classes="toy")
            yield Static(Content("For a real Gemma 4 that suits this machine: edgekit pick"), classes="advice")

    def on_mount(self) -> None:
        """Look for the model that suits this machine, while the toy is loaded."""
        if self._toy:
            self._advise()

    @work(exit_on_error=False)
    async def _advise(self) -> None:
        if lines := await asyncio.to_thread(self._advice):
            first, *commands = lines
            rows = [Content(first), *(Content.styled(command, "$accent") for command in commands)]
            self.query_one(".advice", Static).update(Content("\n").join(rows))
