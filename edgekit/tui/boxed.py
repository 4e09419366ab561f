"""Boxes that the model finds in a picture, drawn on it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.chat.boxes import draw_on_file, find_boxes, save_picture
from edgekit.chat.message import Message
from edgekit.errors import EdgekitError
from edgekit.tui.picture import COLUMNS, ROWS, picture_widget

if TYPE_CHECKING:
    from PIL.Image import Image

    from edgekit.tui.chat_screen import ChatScreen


async def show_boxes(screen: ChatScreen, history: Sequence[Message]) -> None:
    """Show the picture with the boxes of the last answer, where it has any."""
    pixels = screen.graphics.pixels
    room = COLUMNS * pixels[0], ROWS * pixels[1]
    image = await asyncio.to_thread(_boxed, tuple(history), room)
    if image is not None:
        await screen.say(picture_widget(image, screen.graphics))


def save_boxed(history: Sequence[Message], path: Path) -> None:
    """Save it in its full size; EdgekitError where there is nothing to save."""
    image = _boxed(history)
    if image is None:
        raise EdgekitError("the last answer has no boxes in a picture: ask with /detect")
    save_picture(image, path)


def _boxed(history: Sequence[Message], room: tuple[int, int] | None = None) -> Image | None:
    """Return the latest picture with the boxes of the last answer, in the size of `room`; None where one is missing."""
    pictures = [medium.path for message in history for medium in message.media if medium.kind == "image"]
    boxes = find_boxes(history[-1].text) if history else []
    if not pictures or not boxes:
        return None
    try:
        return draw_on_file(pictures[-1], boxes, room)
    except (OSError, SyntaxError, ValueError) as problem:
        raise EdgekitError(f"cannot draw on {pictures[-1].name}: {problem}") from None
