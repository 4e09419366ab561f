"""The Linux console, without a desktop: its font has 256 or 512 glyphs, and it draws ■ for every other character."""

from __future__ import annotations

import array
import os
import struct
import sys
from collections.abc import Iterable, Mapping

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from edgekit.tui.substitutes import substitute

# What a terminal calls itself there.
_TERM = "linux"
# linux/kd.h: read which characters the font has, as pairs of character and glyph, 16 bits each.
_GIO_UNIMAP, _MOST = 0x4B66, 0xFFFF
# linux/drivers/tty/vt/cp437.uni: the kernel's own font, which Raspberry Pi OS keeps.
_KERNEL_FONT = {*map(chr, range(32, 127)), *bytes(range(128, 256)).decode("cp437"), *"•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼▶◀"}


class FewGlyphs(LineFilter):
    """Writes with the characters that a font has; each takes as many cells as what it stands for."""

    def __init__(self, drawable: Iterable[str]) -> None:
        super().__init__()
        self._drawable = frozenset(drawable)
        self._written: dict[str, str] = {}

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments with other texts; Textual calls it for every line that it draws."""
        return [Segment(self._write(text), style, control) for text, style, control in segments]

    def _write(self, text: str) -> str:
        if self._drawable.issuperset(text):
            return text
        return set_cell_size("".join(map(self._draw, text)), cell_len(text))

    def _draw(self, one: str) -> str:
        if one not in self._written:
            self._written[one] = one if one in self._drawable else substitute(one, self._drawable.issuperset)
        return self._written[one]


def on_linux_console(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether the terminal is a Linux console, here or where a connection began."""
    return environment.get("TERM") == _TERM


def dark_theme() -> str:
    """Return the name of the dark theme that suits this terminal."""
    return "console" if on_linux_console() else "dark"


def console_glyphs() -> FewGlyphs:
    """Return what writes with the font of the console on stdout; with the kernel's where it is at the other end."""
    return FewGlyphs(_font() or _KERNEL_FONT)


def _font() -> set[str]:
    import fcntl

    pairs = array.array("H", bytes(4 * _MOST))
    question = bytearray(struct.pack("@HP", _MOST, pairs.buffer_info()[0]))
    try:
        fcntl.ioctl(sys.stdout.fileno(), _GIO_UNIMAP, question)
    except OSError:
        return set()
    count, _ = struct.unpack("@HP", question)
    return set(map(chr, pairs[: 2 * count : 2])) - {"\ufffd"}
