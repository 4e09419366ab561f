"""`edgekit run` with presets, boxes and JSON schemas."""

from __future__ import annotations

import json

import pytest
from jsonschema import validate
from one_line import assert_one_line_error
from PIL import Image

from edgekit import paths

SAMPLES = paths.demo_samples()
SHAPE = {
    "type": "object",
    "properties": {
        "colour": {"enum": ["red", "green", "blue"]},
        "count": {"type": "integer", "minimum": 1, "maximum": 9},
    },
    "required": ["colour", "count"],
}
BOXES = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "box_2d": {"const": [250, 250, 750, 750]},
            "label": {"enum": ["circle"]},
        },
        "required": ["box_2d", "label"],
    },
    "minItems": 1,
    "maxItems": 1,
}


def test_an_answer_that_is_valid_by_a_schema(edgekit, tmp_path):
    (tmp_path / "shape.json").write_text(json.dumps(SHAPE))
    for schema in (tmp_path / "shape.json", json.dumps(SHAPE)):
        result = edgekit(
            "run", "demo", "What is in the picture?", "--image", SAMPLES / "red-circle.png", "--json-schema", schema
        )
        assert (result.returncode, result.stderr) == (0, "")
        validate(json.loads(result.stdout), SHAPE)


def test_an_answer_that_is_cut_is_said(edgekit):
    result = edgekit("run", "demo", "Hello", "--json-schema", json.dumps(SHAPE), "--max-tokens", 2)
    assert result.returncode == 1
    assert "the JSON is not complete" in result.stderr


@pytest.mark.parametrize("schema", ["missing.json", "{", '{"type": "text"}', '{"pattern": "^a$"}', "[]"])
def test_what_is_no_schema_is_one_line(edgekit, schema):
    assert_one_line_error(edgekit("run", "demo", "Hello", "--json-schema", schema))


def test_boxes_are_drawn_and_saved(edgekit, tmp_path):
    """What the bundled model does not know, a schema makes it say."""
    drawn = tmp_path / "drawn.png"
    result = edgekit(
        *("run", "demo", "circle", "--preset", "detect", "--image", SAMPLES / "red-circle.png"),
        *("--json-schema", json.dumps(BOXES), "--boxes", drawn, "--json"),
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["boxes"] == [
        {"label": "circle", "top": 250, "left": 250, "bottom": 750, "right": 750}
    ]
    with Image.open(drawn) as after, Image.open(SAMPLES / "red-circle.png") as before:
        assert after.size == before.size
        edge = (round(0.25 * (after.width - 1)), after.height // 2)
        assert after.convert("RGB").getpixel(edge) != before.convert("RGB").getpixel(edge)


def test_an_answer_without_boxes_draws_nothing(edgekit, tmp_path):
    drawn = tmp_path / "drawn.png"
    result = edgekit("run", "demo", "What is it?", "--image", SAMPLES / "red-circle.png", "--boxes", drawn)
    assert result.returncode == 1
    assert "holds no box_2d" in result.stderr
    assert result.stdout
    assert not drawn.exists()


def test_where_no_boxes_can_be_drawn_is_said_first(edgekit, tmp_path):
    picture = SAMPLES / "red-circle.png"
    assert "end it in .png" in assert_one_line_error(
        edgekit("run", "demo", "What?", "--image", picture, "--boxes", tmp_path / "drawn.txt")
    )
    for images in ([], ["--image", picture, "--image", picture]):
        result = edgekit("run", "demo", "What?", *images, "--boxes", tmp_path / "drawn.png")
        assert result.returncode == 2
        assert "one --image" in result.stderr


def test_presets_ask_with_their_budget(edgekit):
    picture = ("--image", SAMPLES / "red-circle.png", "--json", "--temperature", 0)
    tokens = {}
    for preset in ("read", "caption"):
        result = edgekit("run", "demo", "--preset", preset, *picture)
        assert result.returncode == 0, result.stderr
        tokens[preset] = json.loads(result.stdout)["usage"]["media_tokens"]
    assert 900 < tokens["read"] <= 1120
    assert 230 < tokens["caption"] <= 280
    result = edgekit("run", "demo", "--preset", "read", *picture, "--image-tokens", 70)
    assert json.loads(result.stdout)["usage"]["media_tokens"] <= 70


def test_speech_presets_take_languages(edgekit):
    sound = ("--audio", SAMPLES / "seven.wav")
    assert edgekit("run", "demo", "--preset", "transcribe", "--from", "English", *sound).returncode == 0
    assert edgekit("run", "demo", "--preset", "translate", "--to", "French", *sound).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--preset", "dance"], "there are transcribe"),
        (["--preset", "caption"], "caption needs a picture"),
        (["--preset", "translate", "--audio", SAMPLES / "seven.wav"], "language to translate into"),
        (["--preset", "detect", "--image", SAMPLES / "red-circle.png"], "what to look for"),
        (["Hello", "--to", "French"], "--preset"),
    ],
)
def test_presets_without_what_they_need_are_wrong_usage(edgekit, arguments, words):
    result = edgekit("run", "demo", *arguments)
    assert result.returncode == 2
    assert words in " ".join(result.stderr.replace("│", " ").split())
