"""Machines as fixtures."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hardware.machines import host

from edgekit.hardware.host import Host


@pytest.fixture
def machine_host(tmp_path: Path) -> Callable[[str], Host]:
    """Lay the files of a machine out and return what reads them."""
    return partial(host, folder=tmp_path)
