"""What judges and pip cannot bring: without it a test fails in CI and is skipped, with the reason, elsewhere."""

from __future__ import annotations

import os
import shutil
import sys
from typing import NoReturn

import pytest


def needed(program: str, package: str) -> str:
    """Return a program's path."""
    return shutil.which(program) or _missing(f"{program} is missing, which judges here: apt-get install {package}")


def needs_shared_keys() -> None:
    """Make sure of an onnxruntime whose attention can share keys and values."""
    if sys.version_info < (3, 11):
        _missing("onnxruntime for Python 3.10 ended at 1.23, whose attention cannot share keys and values")


def _missing(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
