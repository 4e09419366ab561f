"""What these tests run the graphs with."""

from __future__ import annotations

import pytest
from needed import needs_shared_keys


@pytest.fixture(scope="session", autouse=True)
def _newer_onnxruntime() -> None:
    needs_shared_keys()
