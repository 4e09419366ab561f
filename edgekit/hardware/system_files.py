"""Read the small text files of /proc and /sys, which may be absent, empty or unreadable."""

from __future__ import annotations

from pathlib import Path


def text(path: Path) -> str | None:
    """Return a file's text without padding, None where it cannot be read."""
    try:
        # Device tree strings end in NUL.
        return path.read_text(encoding="utf-8", errors="replace").strip("\0 \n\t")
    except OSError:
        return None


def number(path: Path) -> int | None:
    """Return a file's one number, None where it cannot be read or says `max`."""
    content = text(path)
    return int(content) if content and content.lstrip("-").isdigit() else None


def numbers(path: Path) -> dict[str, int]:
    """Return the first number of each line by the line's first word."""
    pairs = (line.split()[:2] for line in (text(path) or "").splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def ranges(listed: str) -> list[int]:
    """Return the numbers of a list as /sys writes it: "0-3,8" is 0, 1, 2, 3 and 8."""
    ends = (part.partition("-") for part in listed.split(",") if part)
    return [one for first, _, last in ends for one in range(int(first), int(last or first) + 1)]
