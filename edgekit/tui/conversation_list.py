"""The saved conversations in a list, each with its title, when it was changed, and what was found in it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from edgekit.chat.rows import Summary
from edgekit.tui.printable import printable


class ConversationList(OptionList, can_focus=False):
    """Shows summaries, one of which is chosen."""

    def __init__(self) -> None:
        super().__init__(compact=True)
        self._found: Sequence[Summary] = ()

    @property
    def chosen(self) -> Summary | None:
        """Return the conversation that is highlighted; None where there is none."""
        at = self.highlighted
        return self._found[at] if at is not None and at < len(self._found) else None

    def show(self, found: Sequence[Summary], open_id: int | None, keep: int | None) -> None:
        """List conversations, of which one is open; the one of number `keep` is chosen, else the first."""
        self._found = found
        self.set_options(Option(_lines(each, open_id)) for each in found)
        numbers = [each.id for each in found]
        self.highlighted = numbers.index(keep) if keep in numbers else 0 if numbers else None


def _lines(each: Summary, open_id: int | None) -> Content:
    questions = "1 question" if each.questions == 1 else f"{each.questions} questions"
    about = [datetime.fromtimestamp(each.changed).strftime("%Y-%m-%d %H:%M"), questions, Path(each.model).name]
    marks = ["open"] * (each.id == open_id) + ["unsent text"] * each.unsent
    title = Content.styled(printable(" ".join(each.title.split())), "bold")
    parts = [title, Content("\n"), Content.styled("  " + " · ".join(filter(None, [*about, *marks])), "dim")]
    if each.excerpt:
        parts.append(Content.styled(f"\n  {printable(each.excerpt)}", "dim italic"))
    return Content.assemble(*parts)
