"""What a newcomer reads first."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

_KEYS = (
    ("Enter", "sends what you type below"),
    ("Ctrl+O", "shows it a picture or a sound; dropping a file here does too"),
    ("Ctrl+T", "lets it think first"),
    ("Esc", "stops it"),
    ("F1", "lists everything else"),
    ("Ctrl+Q", "leaves"),
)
_TOY = (
    "This is the bundled toy, gemma4-pico: it knows drawn shapes and spoken digits, little else. "
    "Press Ctrl+O for a sample picture and ask: What is in this picture? "
    "For a real Gemma 4 that suits this machine: edgekit pick"
)


class Welcome(Vertical):
    """Says what can be done here; leaves with the first message."""

    def __init__(self, *, toy: bool) -> None:
        super().__init__()
        self._toy = toy

    def compose(self) -> ComposeResult:
        """Name the keys that matter."""
        yield Static(Content.assemble(("edgekit chat", "bold $primary"), "  nothing leaves this machine"))
        rows = [Content.assemble((f"{key:<8}", "$accent"), text) for key, text in _KEYS]
        yield Static(Content("\n").join(rows), classes="keys")
        if self._toy:
            yield Static(Content(_TOY), classes="toy")
