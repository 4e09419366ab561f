"""Machines as fixtures."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hardware.machines import lay_out


@pytest.fixture
def machine_root(tmp_path: Path) -> Callable[[str], Path]:
    """Lay the files of a machine out and return the root."""
    return partial(lay_out, folder=tmp_path)
