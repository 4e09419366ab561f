"""A block of code in an answer, which can be copied."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets.markdown import MarkdownFence

# Finding the colours of a long text anew with every token that arrives takes longer than the token.
_LONGEST_COLORED = 4000


class CodeBlock(MarkdownFence, can_focus=True):
    """Copied by a click, or by Enter where the focus is on it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "copy", "Copy the code", show=False)]

    def on_mount(self) -> None:
        """Say what it is and how to copy it."""
        self.border_title = Content(self.lexer or "code")
        self.border_subtitle = "click or Enter copies"

    def set_content(self, content: Content) -> None:
        """Show the code as it grows; what language it is may come later than its first mark."""
        super().set_content(content)
        self.border_title = Content(self.lexer or "code")

    @classmethod
    def highlight(cls, code: str, language: str, ansi: bool = False, dark: bool = False) -> Content:
        """Colour the code while it is short."""
        if len(code) > _LONGEST_COLORED:
            return Content(code)
        return super().highlight(code, language, ansi, dark)

    def on_click(self) -> None:
        """Copy, unless text was selected with the mouse."""
        if not self.screen.get_selected_text():
            self.action_copy()

    def action_copy(self) -> None:
        """Hand the code to the terminal's clipboard."""
        self.app.copy_to_clipboard(self.code)
        self.app.notify("code copied", timeout=2)
