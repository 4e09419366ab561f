"""How a picture's colours are shifted and scaled before a vision tower sees them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gguf import GGUFValueType, Keys

from edgekit.convert import keys

CHANNELS = 3


def colours(processor: Mapping[str, Any], mean: float, deviation: float) -> dict[str, keys.Value]:
    """Return the keys, by the image processor's settings, or by `mean` and `deviation` where it has none."""
    return {
        Keys.ClipVision.IMAGE_MEAN: _numbers(processor.get("image_mean"), mean),
        Keys.ClipVision.IMAGE_STD: _numbers(processor.get("image_std"), deviation),
    }


def _numbers(given: object, default: float) -> keys.Value:
    numbers = given if isinstance(given, list) and len(given) == CHANNELS else []
    if not all(isinstance(number, (int, float)) and abs(number) < 1e38 for number in numbers):
        numbers = []
    # Whole numbers in the file would become integers, and the projector would not load.
    return keys.array(GGUFValueType.FLOAT32, [float(number) for number in numbers or [default] * CHANNELS])
