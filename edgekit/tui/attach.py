"""Choosing a file: type its path with completion, or walk through the folders."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.suggester import Suggester
from textual.widgets import DirectoryTree, Input

from edgekit.tui.attachment import SUFFIXES
from edgekit.tui.completion import complete_path
from edgekit.tui.pasted import as_path


class AttachScreen(ModalScreen["Path | None"]):
    """Returns the chosen file, None where Esc was pressed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Close"),
        Binding("ctrl+c", "dismiss", show=False, priority=True),
    ]
    KEY_HELP = (
        ("Tab", "complete the path, go to the folders"),
        ("Enter", "attach the file, open the folder"),
        ("Backspace", "in the folders: the folder above"),
        ("Esc", "close"),
    )

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def compose(self) -> ComposeResult:
        """Show the path's line above the folders."""
        with Vertical() as box:
            box.border_title = "Attach a picture or a sound"
            box.border_subtitle = "↓ files · ⌫ folder above · Esc closes"
            yield PathInput(self._folder)
            yield MediaTree(self._folder)

    @on(Input.Submitted)
    def _typed(self, event: Input.Submitted) -> None:
        typed = event.value.strip().strip("'\"")
        if typed:
            self.dismiss(self._folder / as_path(typed))

    @on(DirectoryTree.FileSelected)
    def _selected(self, event: DirectoryTree.FileSelected) -> None:
        self.dismiss(event.path)


class PathInput(Input):
    """Completes paths of folders, pictures and sounds."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "app.focus_next", show=False),
        # A binding, not key_tab: behind that the screen's own binding would leave the field as well.
        Binding("tab", "take_suggestion", show=False),
    ]

    def __init__(self, folder: Path) -> None:
        super().__init__(placeholder="path", suggester=_PathSuggester(folder), compact=True)

    def action_take_suggestion(self) -> None:
        """Take the suggestion where there is one, else leave the field."""
        # Once taken it stays for a moment.
        if self._suggestion.removeprefix(self.value):
            self.action_cursor_right()
        else:
            self.screen.focus_next()


class _PathSuggester(Suggester):
    def __init__(self, folder: Path) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._folder = folder

    async def get_suggestion(self, value: str) -> str | None:
        rest = complete_path(value, self._folder)
        return value + rest if rest else None


class MediaTree(DirectoryTree):
    """Folders, pictures and sounds; nothing hidden. Backspace goes to the folder above."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("backspace", "above", show=False)]
    ICON_NODE, ICON_NODE_EXPANDED, ICON_FILE = "▸ ", "▾ ", "  "
    show_root = False

    def action_above(self) -> None:
        """Show the folder above."""
        self.path = Path(self.path).absolute().parent

    def filter_paths(self, paths: Iterable[Path]) -> Iterable[Path]:
        """Leave out what cannot be attached."""
        return [
            path
            for path in paths
            if not path.name.startswith(".") and (path.suffix.lower() in SUFFIXES or path.is_dir())
        ]
