"""Whether there is room for what a conversion will write."""

from __future__ import annotations

import shutil
from pathlib import Path

from edgekit.convert.sizes import size
from edgekit.errors import DoesNotFitError


def free_space(folder: Path) -> int:
    """Return the bytes that are free on the disk of a folder, which need not exist yet."""
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    return shutil.disk_usage(existing).free


def check_room(folder: Path, needed: int) -> int:
    """Return the bytes that are free; raises DoesNotFitError where the disk of `folder` has less than `needed`."""
    free = free_space(folder)
    if needed > free:
        raise DoesNotFitError(
            f"{folder} needs {size(needed)} and its disk has {size(free)} free: "
            "free some space, choose another --out or a smaller --quant"
        )
    return free
