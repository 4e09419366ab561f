"""Boxes around things in a picture, as Gemma 4 writes them: JSON with `box_2d` in thousandths of height and width."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

from edgekit.convert.whole_file import WholeFile
from edgekit.errors import FileError

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image

_GRID = 1000
# A model that writes nothing but braces must not keep anybody waiting.
_MOST_TRIES = 500
_LONGEST_LABEL = 60
_SMALL = 100
_COLOURS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324", "#808000")


@dataclass(frozen=True)
class Box:
    """What the model says it sees, and where: thousandths from the top and from the left."""

    label: str
    top: float
    left: float
    bottom: float
    right: float


def find_boxes(text: str) -> list[Box]:
    """Return the boxes in a text, however much else it holds; those of an answer that was cut come too."""
    return [box for value in _objects(text) for box in _boxes(value)]


def draw_boxes(image: Image, boxes: Sequence[Box], room: tuple[int, int] | None = None) -> Image:
    """Return a picture, upright and no larger than `room`, with boxes and labels; one colour for each label."""
    from PIL import ImageDraw, ImageFont, ImageOps

    drawn = ImageOps.exif_transpose(image).convert("RGB")
    if room is not None:
        drawn.thumbnail(room)
    draw = ImageDraw.Draw(drawn)
    side = min(drawn.size)
    # So small a picture, half blocks in a terminal, has no room for words.
    readable = side >= _SMALL
    line, font = max(1 + readable, side // 200), ImageFont.load_default(max(10, side // 30))
    labels = list(dict.fromkeys(box.label for box in boxes))
    for box in boxes:
        colour = _COLOURS[labels.index(box.label) % len(_COLOURS)]
        left, right = (round(share * (drawn.width - 1) / _GRID) for share in (box.left, box.right))
        top, bottom = (round(share * (drawn.height - 1) / _GRID) for share in (box.top, box.bottom))
        draw.rectangle((left, top, right, bottom), outline=colour, width=line)
        if box.label and readable:
            name = draw.textbbox((left + line, top + line), box.label, font=font)
            draw.rectangle((left, top, name[2] + line, name[3] + line), fill=colour)
            draw.text((left + line, top + line), box.label, fill="white", font=font)
    return drawn


def draw_on_file(path: Path, boxes: Sequence[Box], room: tuple[int, int] | None = None) -> Image:
    """Return the picture in a file with boxes on it; raises what Pillow raises."""
    from edgekit.engine.decoders import picture_file

    with picture_file(path) as image:
        image.load()
        return draw_boxes(image, boxes, room)


def check_picture_name(path: Path) -> str:
    """Return Pillow's format for a file's name; FileError where there is none, or no folder for it."""
    from PIL import Image

    Image.init()
    kind = Image.registered_extensions().get(path.suffix.lower(), "")
    if kind not in Image.SAVE:
        raise FileError(f"{path} is no name for a picture: end it in .png, .jpg or .webp")
    if not path.absolute().parent.is_dir():
        raise FileError(f"there is no folder for {path}: make it first")
    return kind


def save_picture(image: Image, path: Path) -> None:
    """Write a picture whole or not at all, in the format that its name says."""
    data = BytesIO()
    image.save(data, format=check_picture_name(path))
    with WholeFile(path) as file:
        file.write(data.getvalue())


def _objects(text: str) -> Iterator[Any]:
    decoder, at = json.JSONDecoder(), text.find("{")
    for _ in range(_MOST_TRIES):
        if at < 0:
            return
        try:
            value, end = decoder.raw_decode(text, at)
            yield value
        except (ValueError, RecursionError):
            end = at + 1
        at = text.find("{", end)


def _boxes(value: Any, depth: int = 0) -> Iterator[Box]:  # noqa: ANN401 - the shape of JSON
    if depth > 8 or not isinstance(value, (dict, list)):
        return
    if isinstance(value, dict) and "box_2d" in value:
        if box := _box(value["box_2d"], value.get("label")):
            yield box
        return
    for inner in value.values() if isinstance(value, dict) else value:
        yield from _boxes(inner, depth + 1)


def _box(numbers: Any, label: Any) -> Box | None:  # noqa: ANN401
    if not isinstance(numbers, list) or len(numbers) != 4 or not all(map(_is_number, numbers)):
        return None
    top, left, bottom, right = (min(max(number, 0), _GRID) for number in numbers)
    if top == bottom or left == right:
        return None
    name = "".join(letter for letter in label if letter.isprintable()) if isinstance(label, str) else ""
    return Box(name[:_LONGEST_LABEL], min(top, bottom), min(left, right), max(top, bottom), max(left, right))


def _is_number(value: Any) -> bool:  # noqa: ANN401
    # No number is within no limits either.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e9
