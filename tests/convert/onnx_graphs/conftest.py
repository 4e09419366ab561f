"""What these tests run the graphs with."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture(scope="session", autouse=True)
def _newer_onnxruntime() -> None:
    if sys.version_info < (3, 11):
        pytest.skip("onnxruntime for Python 3.10 ended at 1.23, whose attention cannot share keys and values")
