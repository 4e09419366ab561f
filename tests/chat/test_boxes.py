"""Boxes in answers: found in whatever a model writes, drawn where they belong."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edgekit.chat.boxes import Box, draw_boxes, draw_on_file, find_boxes, save_picture
from edgekit.errors import FileError

BIKE = Box("bike", 171, 75, 245, 308)
PICTURE = '{"box_2d": [171, 75, 245, 308], "label": "bike"}'


@pytest.mark.parametrize(
    ("text", "boxes"),
    [
        # As the launch post of Hugging Face shows it.
        (f"```json\n[\n {PICTURE}\n]\n```", [BIKE]),
        (PICTURE, [BIKE]),
        (f"There is one {{here}}: {PICTURE}, and one {PICTURE}.", [BIKE, BIKE]),
        (f'{{"objects": [{{"at": {PICTURE}}}]}}', [BIKE]),
        # Cut in the middle of the second.
        (f'[{PICTURE}, {{"box_2d": [1, 2', [BIKE]),
        ('{"box_2d": [10.5, 20, 30, 40]}', [Box("", 10.5, 20, 30, 40)]),
        ('{"box_2d": [30, 40, 10, 20], "label": 7}', [Box("", 10, 20, 30, 40)]),
        ('{"box_2d": [-5, 0, 2000, 1000], "label": "a\\u001b[2J"}', [Box("a[2J", 0, 0, 1000, 1000)]),
        ('{"box_2d": [5, 5, 5, 9]}', []),
        ('{"box_2d": [1, 2, 3]}', []),
        ('{"box_2d": [true, 2, 3, 4]}', []),
        ('{"box_2d": ["1", "2", "3", "4"]}', []),
        ('{"box_2d": [NaN, 2, 3, Infinity]}', []),
        ('{"box_2d": [1, 2, 3, 1' + "0" * 400 + "]}", []),
        ('{"box_2d": null}', []),
        ("no box at all", []),
        ("", []),
    ],
)
def test_boxes_are_found(text, boxes):
    assert find_boxes(text) == boxes


@given(st.text(alphabet='{}[]":,0123456789 box_2dlabel\\', max_size=200))
def test_nothing_crashes_it(text):
    assert find_boxes(text + PICTURE)[-1:] in ([BIKE], [])


@pytest.mark.parametrize("text", ["{" * 100_000, "[" * 100_000, '{"a":' * 50_000, '{"box_2d": [' * 20_000])
def test_nothing_keeps_it_busy(text):
    assert find_boxes(text) == []


@given(st.lists(st.tuples(*[st.integers(0, 1000)] * 4), max_size=4))
def test_every_box_is_drawn_inside(numbers):
    boxes = find_boxes(json.dumps([{"box_2d": list(each), "label": "it"} for each in numbers]))
    drawn = draw_boxes(Image.new("RGB", (30, 20), "white"), boxes)
    assert drawn.size == (30, 20)


def test_boxes_lie_where_they_belong():
    drawn = draw_boxes(Image.new("RGB", (201, 101), "white"), [Box("", 100, 250, 500, 750)])
    for at in ((50, 10), (150, 10), (50, 50), (150, 50), (100, 10), (50, 30)):
        assert drawn.getpixel(at) != (255, 255, 255), at
    for at in ((100, 30), (47, 30), (153, 30), (100, 7), (100, 53)):
        assert drawn.getpixel(at) == (255, 255, 255), at


def test_a_preview_fits_its_room():
    drawn = draw_boxes(Image.new("RGB", (400, 300), "white"), [Box("it", 100, 100, 900, 900)], (40, 24))
    assert drawn.size == (32, 24)
    assert drawn.getpixel((3, 12)) != (255, 255, 255)


def test_labels_have_colours_of_their_own():
    boxes = [Box("cat", 0, 0, 400, 400), Box("dog", 600, 600, 1000, 1000), Box("cat", 0, 600, 400, 1000)]
    drawn = draw_boxes(Image.new("RGB", (500, 500), "white"), boxes)
    corners = [drawn.getpixel(at) for at in ((0, 0), (300, 300), (300, 0))]
    assert corners[0] == corners[2] != corners[1]


def test_the_picture_is_upright_as_the_model_saw_it(tmp_path):
    """Orientation 6 of EXIF: the camera was turned."""
    image = Image.new("RGB", (40, 20), "white")
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.jpg", exif=exif)
    assert draw_on_file(tmp_path / "turned.jpg", []).size == (20, 40)


def test_pictures_are_saved_by_their_names(tmp_path):
    image = Image.new("RGB", (4, 4), "red")
    for name in ("a.png", "b.jpg", "c.webp"):
        save_picture(image, tmp_path / name)
        with Image.open(tmp_path / name) as saved:
            assert saved.size == (4, 4)
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(
    ("name", "match"), [("a.txt", "no name for a picture"), ("a", "end it in"), ("no/a.png", "folder")]
)
def test_names_of_no_pictures(name, match, tmp_path):
    with pytest.raises(FileError, match=match):
        save_picture(Image.new("RGB", (4, 4)), tmp_path / name)
    assert not list(tmp_path.iterdir())
