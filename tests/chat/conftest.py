"""The bundled model for the conversation's tests."""

from oracles.pico import checkpoint, exact_engine, f32_plan, q8_engine, q8_plan, reference

__all__ = ["checkpoint", "exact_engine", "f32_plan", "q8_engine", "q8_plan", "reference"]
