"""A small picture in half blocks, which every terminal with colours can show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

if TYPE_CHECKING:
    from PIL.Image import Image

_UPPER_HALF = "▀"


class Picture(Widget):
    """Shows a thumbnail, two pixels to a cell."""

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
    from PIL import Image as Pillow

    flat = Pillow.new("RGBA", (image.width, image.height + image.height % 2), "white")
    flat.alpha_composite(image.convert("RGBA"))
    pixels = flat.convert("RGB").load()
    assert pixels is not None
    return [
        [Segment(_UPPER_HALF, _cell(pixels[x, y], pixels[x, y + 1])) for x in range(flat.width)]
        for y in range(0, flat.height, 2)
    ]


def _cell(upper: object, lower: object) -> Style:
    return Style(color=_color(upper), bgcolor=_color(lower))


def _color(pixel: object) -> Color:
    assert isinstance(pixel, tuple)
    return Color.from_rgb(*pixel)
