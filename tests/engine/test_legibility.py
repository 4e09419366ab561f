"""Pages of text get more soft tokens than other pictures."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from edgekit.engine.legibility import suited_tokens
from edgekit.engine.media import prepare_picture

WORDS = "Gemma reads the small print of a contract, line by line, and says what it means. "


def page(size=(1000, 1400), font=22, paper="white", ink="black"):
    image = Image.new("RGB", size, paper)
    draw, face = ImageDraw.Draw(image), ImageFont.load_default(font)
    for line, top in enumerate(range(40, size[1] - 60, int(font * 1.5))):
        draw.text((40, top), (WORDS[line % 20 :] + WORDS * 3)[: int((size[0] - 80) / font * 2.1)], ink, face)
    return image


def shapes():
    image = Image.new("RGB", (800, 600), "white")
    draw = ImageDraw.Draw(image)
    draw.ellipse((100, 100, 400, 400), "red")
    draw.polygon([(500, 500), (700, 500), (600, 200)], "blue")
    return image


def noise(sigma):
    pixels = np.random.default_rng(0).integers(0, 256, (700, 900, 3), np.uint8)
    return Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(sigma))


@pytest.mark.parametrize(
    "image",
    [
        page(),
        page(font=34),
        page(paper="#f4ecd8", ink="#203040"),
        page(paper="#101010", ink="#f0f0f0"),
        page((1600, 900)),
    ],
)
def test_pages(image):
    assert suited_tokens(image) >= 560


def test_a_page_with_more_to_see_gets_most():
    assert suited_tokens(page()) == 560
    assert suited_tokens(page((2000, 2800), font=40)) == 1120


@pytest.mark.parametrize(
    "image", [shapes(), noise(0), noise(1), noise(6), Image.new("RGB", (50, 50), "red"), Image.new("RGB", (1, 1))]
)
def test_other_pictures(image):
    assert suited_tokens(image) == 280


def test_auto_is_a_budget():
    height, width, _ = prepare_picture(page(), "auto").pixels.shape
    assert 400 < height * width / 48**2 <= 560
