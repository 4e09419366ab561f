"""Whether there is room for what a conversion will write."""

from __future__ import annotations

import shutil
from pathlib import Path

from edgekit.errors import DoesNotFitError

_MIB = 1 << 20
_GIB = 1 << 30


def check_room(folder: Path, needed: int) -> None:
    """Raise DoesNotFitError where the disk of `folder`, which need not exist yet, has less than `needed` bytes free."""
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise DoesNotFitError(
            f"{folder} needs {_size(needed)} and its disk has {_size(free)} free: "
            "free some space, choose another --out or a smaller --quant"
        )


def _size(count: int) -> str:
    return f"{count / _GIB:.2f} GiB" if count >= _GIB else f"{count / _MIB:.1f} MiB"
