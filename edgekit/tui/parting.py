"""Where a long Markdown text can be cut so that its parts look as the whole does."""

from __future__ import annotations

import re

# Characters of a part: with what arrives, its last block is made anew, and every item of a list is a few widgets.
_PART = 200
_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})(.*)")
# A line that begins something by itself: an item at the margin, a heading.
_BEGINS = re.compile(r"(?:[-*+]|\d{1,9}[.)]|#{1,6}) ")
# The longest beginning that has to be seen to tell.
_SEEN = 11


class Parting:
    """Cuts a text that arrives in pieces; nothing is lost, and nothing inside a block of code is cut."""

    def __init__(self, part: int = _PART) -> None:
        self._part = part
        self._length = 0
        # The line that is arriving, as far as it is known; what of it was given out already.
        self._line, self._given = "", 0
        self._fence = ""
        self._after_blank = False

    def feed(self, text: str, *, last: bool = False) -> list[tuple[bool, str]]:
        """Return pieces of the text in order, each with whether a new part begins with it."""
        found: list[tuple[bool, str]] = []
        for line in text.splitlines(keepends=True):
            self._line += line
            whole = line.endswith("\n")
            if self._given or whole or last or self._decided():
                found.append(self._give(whole=whole))
        if last and self._given < len(self._line):
            found.append(self._give(whole=False))
        return [piece for piece in found if piece[1]]

    def _decided(self) -> bool:
        return self._length < self._part or bool(self._fence) or len(self._line) >= _SEEN

    def _give(self, *, whole: bool) -> tuple[bool, str]:
        begins = not self._given and self._begins_part()
        piece = self._line[self._given :]
        self._length = len(piece) if begins else self._length + len(piece)
        self._given = len(self._line)
        if whole:
            self._end_line()
        return begins, piece

    def _begins_part(self) -> bool:
        if self._length < self._part or self._fence:
            return False
        alone = self._after_blank and not self._line.startswith((" ", "\t", "\n"))
        return alone or bool(_BEGINS.match(self._line))

    def _end_line(self) -> None:
        if match := _FENCE.match(self._line):
            marks, rest = match[1], match[2].strip()
            if not self._fence:
                self._fence = marks
            elif marks.startswith(self._fence) and not rest:
                self._fence = ""
        self._after_blank = not self._line.strip()
        self._line, self._given = "", 0
