"""A small picture: real pixels where the terminal shows them, half blocks everywhere else."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

from edgekit.tui.graphics import Graphics

if TYPE_CHECKING:
    from PIL.Image import Image

_UPPER_HALF = "▀"
# The most cells that a picture takes.
COLUMNS, ROWS = 40, 12


def picture_widget(image: Image, graphics: Graphics) -> Widget:
    """Return what shows a picture in this terminal."""
    if graphics.protocol == "blocks":
        return Picture(image)
    with _unasked(graphics):
        # Its import reads the size of a cell, and would ask the terminal, which Textual reads from by now.
        from textual_image.widget import SixelImage, TGPImage
    kind: Any = SixelImage if graphics.protocol == "sixel" else TGPImage
    widget: Widget = kind(_on_white(image))
    width, height = graphics.cell
    widget.styles.width = max(-(-image.width // width), 1)
    widget.styles.height = max(-(-image.height // height), 1)
    return widget


class Picture(Widget):
    """Shows a thumbnail in half blocks, two pixels to a cell."""

    ALLOW_SELECT = False

    def __init__(self, image: Image) -> None:
        super().__init__()
        self._rows = half_blocks(image)

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """Return its columns."""
        return min(len(self._rows[0]), container.width)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return its rows."""
        return len(self._rows)

    def render_line(self, y: int) -> Strip:
        """Return one row of cells."""
        if y >= len(self._rows):
            return Strip.blank(self.size.width)
        return Strip(self._rows[y]).crop(0, self.size.width)


def half_blocks(image: Image) -> list[list[Segment]]:
    """Return rows of cells; transparent parts lie on white, as the model sees them."""
    flat = _on_white(image, image.height % 2)
    pixels = flat.load()
    assert pixels is not None
    return [
        [Segment(_UPPER_HALF, _cell(pixels[x, y], pixels[x, y + 1])) for x in range(flat.width)]
        for y in range(0, flat.height, 2)
    ]


def _on_white(image: Image, more: int = 0) -> Image:
    """Return the picture on white, with some more rows of white below."""
    from PIL import Image as Pillow

    flat = Pillow.new("RGBA", (image.width, image.height + more), "white")
    flat.alpha_composite(image.convert("RGBA"))
    return flat.convert("RGB")


def _cell(upper: object, lower: object) -> Style:
    return Style(color=_color(upper), bgcolor=_color(lower))


def _color(pixel: object) -> Color:
    assert isinstance(pixel, tuple)
    return Color.from_rgb(*pixel)


@contextmanager
def _unasked(graphics: Graphics) -> Iterator[None]:
    """Let textual-image take the size of a cell from its environment, as under textual-serve."""
    names = ("TEXTUAL_CELL_WIDTH", "TEXTUAL_CELL_HEIGHT")
    before, real = {name: os.environ.get(name) for name in names}, sys.__stdout__
    os.environ.update(zip(names, map(str, graphics.cell), strict=True))
    sys.__stdout__ = io.StringIO()  # type: ignore[misc, assignment]
    try:
        yield
    finally:
        sys.__stdout__ = real  # type: ignore[misc]
        for name, value in before.items():
            os.environ.pop(name)
            os.environ.update({} if value is None else {name: value})
