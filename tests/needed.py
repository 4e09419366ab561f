"""Programs that judge and that pip cannot bring."""

from __future__ import annotations

import os
import shutil

import pytest


def needed(program: str, package: str) -> str:
    """Return a program's path; without it the test fails in CI and is skipped, with the way to get it, elsewhere."""
    found = shutil.which(program)
    if found is None:
        reason = f"{program} is missing, which judges here: apt-get install {package}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found
