"""The bundled model for the engine's tests."""

from pathlib import Path

import pytest
from oracles.pico import checkpoint, exact_engine, f32_plan, q8_engine, q8_plan, reference

__all__ = ["checkpoint", "exact_engine", "f32_plan", "q8_engine", "q8_plan", "reference"]

DIGITS = Path(__file__).parents[1] / "data" / "digits"


@pytest.fixture(scope="session")
def spoken_digits() -> list[Path]:
    """Digits in voices that the model has not heard; the first character of a name is the digit."""
    return sorted(DIGITS.glob("*.wav"))
