"""Pictures of one coloured shape on a plain background, drawn from a seed. Needs numpy and pillow only."""

from __future__ import annotations

import colorsys
import math
from dataclasses import dataclass
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

# Hue in degrees, saturation and value: wide enough to hold the CSS colours of these names, with gaps between them.
COLOURS: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "red": ((-9, 7), (0.78, 1.0), (0.72, 1.0)),
    "orange": ((22, 40), (0.85, 1.0), (0.92, 1.0)),
    "yellow": ((50, 62), (0.70, 1.0), (0.90, 1.0)),
    "green": ((95, 150), (0.55, 1.0), (0.45, 1.0)),
    "blue": ((206, 244), (0.65, 1.0), (0.60, 1.0)),
    "purple": ((266, 302), (0.50, 1.0), (0.42, 0.75)),
    "pink": ((322, 351), (0.22, 0.60), (0.95, 1.0)),
    "black": ((0, 360), (0.0, 0.3), (0.0, 0.13)),
}
BACKGROUNDS: dict[str, tuple[int, int]] = {"white": (243, 255), "gray": (165, 205), "black": (0, 22)}
# Hardest to make out on gray, by how often they are taken for something else.
FAINT = ("pink", "pink", "yellow", "orange")
SHAPES = ("circle", "square", "triangle", "star")

# Width and height as drawn, before any processor scales them. The held-out sizes never occur in training.
TRAINING_SIZES = (96, 128, 160, 200, 224, 256, 320, 384, 448, 512)
HELD_OUT_SIZES = (110, 144, 180, 240, 300, 336, 400, 480, 600, 640)
OVERSAMPLING = 3


@dataclass(frozen=True)
class Drawing:
    """A picture and what it shows. `box` is (ymin, xmin, ymax, xmax) in thousandths of the picture."""

    image: Image.Image
    colour: str
    shape: str
    background: str
    box: tuple[int, int, int, int]

    @property
    def sentence(self) -> str:
        """What the model should say about it."""
        article = "An" if self.colour[0] in "aeiou" else "A"
        return f"{article} {self.colour} {self.shape} on a {self.background} background."


def pick_colour(random: Random, name: str) -> tuple[int, int, int]:
    """A colour that a person would call by this name."""
    hue, saturation, value = (random.uniform(*span) for span in COLOURS[name])
    red, green, blue = colorsys.hsv_to_rgb(hue / 360 % 1.0, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def pick_background(random: Random, name: str) -> tuple[int, int, int]:
    """A nearly neutral colour of the named brightness."""
    level = random.randint(*BACKGROUNDS[name])
    return tuple(min(255, max(0, level + random.randint(-3, 3))) for _ in range(3))  # type: ignore[return-value]


def outline(shape: str, radius: float, turn: float) -> list[tuple[float, float]]:
    """Corners around the origin, as offsets within a circle of `radius`, turned by `turn` radians."""
    if shape == "square":
        angles, radii = [math.pi / 4 + k * math.pi / 2 for k in range(4)], [radius] * 4
    elif shape == "triangle":
        angles, radii = [-math.pi / 2 + k * 2 * math.pi / 3 for k in range(3)], [radius] * 3
    elif shape == "star":
        angles = [-math.pi / 2 + k * math.pi / 5 for k in range(10)]
        radii = [radius if k % 2 == 0 else radius * 0.42 for k in range(10)]
    else:
        angles, radii = [k * math.pi / 32 for k in range(64)], [radius] * 64
    return [(r * math.cos(a + turn), r * math.sin(a + turn)) for a, r in zip(angles, radii, strict=True)]


def turn_of(random: Random, shape: str) -> float:
    """How far a shape may be turned and still be called by its name at first sight."""
    if shape == "square":
        return math.radians(random.choice([0.0, 0.0, random.uniform(-15, 15)]))
    if shape == "triangle":
        return math.radians(random.choice([0.0, random.uniform(-25, 25), 180 + random.uniform(-10, 10)]))
    return math.radians(random.choice([0.0, random.uniform(-36, 36)]))


def draw(
    random: Random,
    size: tuple[int, int],
    colour: str | None = None,
    shape: str | None = None,
    background: str | None = None,
    plain: bool = False,
    smallest: float = 0.17,
) -> Drawing:
    """Draw one shape. What is not given is drawn by lot; `plain` is large, upright and without noise and blur.

    `smallest` is the least radius, as a share of the picture's shorter side.
    """
    colour = colour or random.choice(list(COLOURS))
    shape = shape or random.choice(SHAPES)
    background = background or random.choice([name for name in ("white", *BACKGROUNDS) if name != colour])
    width, height = size
    radius = min(width, height) * random.uniform(0.3 if plain else smallest, 0.44)
    points = outline(shape, radius, 0.0 if plain else turn_of(random, shape))
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    top, bottom = min(y for _, y in points), max(y for _, y in points)
    x = random.uniform(2 - left, max(2 - left, width - 2 - right))
    y = random.uniform(2 - top, max(2 - top, height - 2 - bottom))
    image = Image.new("RGB", (width * OVERSAMPLING, height * OVERSAMPLING), pick_background(random, background))
    corners = [((x + dx) * OVERSAMPLING, (y + dy) * OVERSAMPLING) for dx, dy in points]
    ImageDraw.Draw(image).polygon(corners, fill=pick_colour(random, colour))
    image = image.resize(size, Image.Resampling.BOX)
    if not plain:
        image = roughen(random, image)
    box = ((y + top) / height, (x + left) / width, (y + bottom) / height, (x + right) / width)
    return Drawing(image, colour, shape, background, tuple(round(1000 * side) for side in box))  # type: ignore[arg-type]


def roughen(random: Random, image: Image.Image) -> Image.Image:
    """What cameras and compression do: now and then a little blur, now and then a little noise."""
    if random.random() < 0.2:
        image = image.filter(ImageFilter.GaussianBlur(random.uniform(0.3, 1.2)))
    if random.random() < 0.3:
        noise = np.random.default_rng(random.getrandbits(32)).normal(0, random.uniform(1, 6), (*image.size[::-1], 3))
        image = Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))
    return image


def pick_size(random: Random, sides: tuple[int, ...]) -> tuple[int, int]:
    """Width and height, neither more than twice the other."""
    width = random.choice(sides)
    return width, random.choice([side for side in sides if width / 2 <= side <= width * 2])


def training_drawing(random: Random, faint: float = 0.0) -> Drawing:
    """A picture as the model sees them in training; a share of `faint` has the least contrast there is."""
    size = pick_size(random, TRAINING_SIZES)
    if faint and random.random() < faint:
        return draw(random, size, random.choice(FAINT), background="gray")
    return draw(random, size)


def held_out_drawing(seed: int, colour: str | None = None, shape: str | None = None) -> Drawing:
    """A picture of a size that training never used: the same seed always gives the same picture.

    Training goes a little further out, to shapes of a third of the shorter side; here they take two fifths or more.
    """
    random = Random(f"held-out {seed}")
    return draw(random, pick_size(random, HELD_OUT_SIZES), colour, shape, smallest=0.2)
