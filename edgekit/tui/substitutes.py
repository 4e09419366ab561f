"""What stands for a character that an output does not have: an encoding without it, a font without its glyph."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

# The best first, the last one in every encoding and font.
_LIKE = {
    one: likes.split()
    for alike, likes in (
        *(("╭┏", "┌ +"), ("╮┓", "┐ +"), ("╰┗", "└ +"), ("╯┛", "┘ +"), ("━╍", "═ ="), ("┃", "║ |"), ("╏", "║ |")),
        *(("─", "-"), ("│║", "|"), ("═", "="), ("▊▋▍", "▌ |"), ("▎▏▕", "│ |"), ("▔", "─ -"), ("▁", "_")),
        *(("▂▃", "▄ _"), ("▅▆▇▉", "█ #"), ("░", "."), ("→▶►", ">"), ("▸‣", "► >"), ("▾", "▼ v")),
        *(("▪●▣", "■ • *"), ("■•☼♪⭑", "*"), ("◦⭘", "○ o"), ("○", "o"), ("⌫", "← <"), ("←", "<"), ("⚙", "☼ *")),
        *(("✓✔", "√ v"), ("√▼↓", "v"), ("↑", "^"), ("✗×", "x"), ("‘’", "'"), ("“”„", '"'), ("·–‑−", "-")),
        *(("—", "─ -"), ("…", "."), ("±", "+-")),
    )
    for one in alike
}


def substitute(one: str, has: Callable[[str], bool]) -> str:
    """Return what stands for a character, made of what `has` says there is.

    It is as wide, so that columns stay where they are; only for ± that says too little.
    """
    # Every command starts with this module, and few need it.
    from rich.cells import cell_len, set_cell_size

    alike = [*_LIKE.get(one, ()), *(like for like in (_plain(one), _drawn(one)) if cell_len(like) == cell_len(one))]
    if found := next(filter(has, alike), ""):
        return found
    # Not left to the terminal: some count one cell for an emoji, and for what joins two of them.
    return set_cell_size("?", cell_len(one))


def _plain(one: str) -> str:
    """Return a letter without its accent, and a digit that stood higher: Š is S, ⁴ is 4."""
    return "".join(part for part in unicodedata.normalize("NFKD", one) if not unicodedata.combining(part))


def _drawn(one: str) -> str:
    """Return a sign for lines and blocks."""
    if not "\N{BOX DRAWINGS LIGHT HORIZONTAL}" <= one <= "\N{RIGHT ONE EIGHTH BLOCK}":
        return ""
    return "+" if one < "\N{UPPER HALF BLOCK}" else "#"
