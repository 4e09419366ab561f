"""Options of `edgekit run` that set a task: presets, boxes, JSON schemas."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit.cli import output
from edgekit.errors import EdgekitError

if TYPE_CHECKING:
    from edgekit.chat.boxes import Box
    from edgekit.chat.message import Media

PresetOption = Annotated[
    str | None,
    typer.Option(help="A task: transcribe, translate, detect (PROMPT says what), read, caption or describe."),
]
FromOption = Annotated[str | None, typer.Option("--from", metavar="LANGUAGE", help="The language that is spoken.")]
ToOption = Annotated[str | None, typer.Option("--to", metavar="LANGUAGE", help="The language to translate into.")]
BoxesOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Draw the boxes of the answer on the picture and save it here.")
]
JsonSchemaOption = Annotated[
    str | None, typer.Option(metavar="FILE_OR_JSON", help="Answer in JSON that is valid by this schema.")
]


def preset_prompt(name: str, prompt: str, media: Sequence[Media], source: str | None, target: str | None) -> str:
    """Return the prompt of a preset; wrong usage where something is missing for it."""
    from edgekit.chat.presets import Wish, preset

    try:
        return preset(name).prompt(Wish(prompt, source or "", target or "", {medium.kind for medium in media}))
    except EdgekitError as problem:
        raise typer.BadParameter(str(problem), param_hint="--preset") from None


def check_boxes(path: Path | None, media: Sequence[Media]) -> None:
    """Raise what keeps boxes from being drawn, before anything is computed."""
    if path is None:
        return
    from edgekit.chat.boxes import check_picture_name

    if [medium.kind for medium in media].count("image") != 1:
        raise typer.BadParameter("boxes are drawn on one picture: give one --image", param_hint="--boxes")
    check_picture_name(path)


def save_boxes(path: Path, answer: str, media: Sequence[Media]) -> list[Box]:
    """Draw the boxes of an answer on its picture and save it; EdgekitError where the answer has none."""
    from edgekit.chat.boxes import draw_on_file, find_boxes, save_picture

    [picture] = [medium.path for medium in media if medium.kind == "image"]
    if not (boxes := find_boxes(answer)):
        raise EdgekitError(f"the answer holds no box_2d: {path} was not written")
    save_picture(draw_on_file(picture, boxes), path)
    output.hint(f"{len(boxes)} boxes drawn: {path}" if len(boxes) > 1 else f"one box drawn: {path}")
    return boxes
