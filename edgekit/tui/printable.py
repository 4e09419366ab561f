"""Text that cannot move the cursor, ring or recolour: models, files and people may hold anything."""

import re

# Control characters but newline and tab, and the marks that turn the reading direction around.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """Return the text with every control character replaced by a visible mark."""
    return _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", text)
