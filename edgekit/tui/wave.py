"""The shape of a sound, small enough for one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

_LEVELS = "▁▂▃▄▅▆▇█"
_COLUMNS = 24


def wave(samples: np.ndarray[Any, Any], columns: int = _COLUMNS) -> str:
    """Return samples of shape (length,) as one block character for each stretch, by its loudest sample."""
    import numpy as np

    if not len(samples):
        return ""
    peaks = np.array([np.abs(part).max() for part in np.array_split(samples, min(columns, len(samples)))])
    loudest = peaks.max()
    shares = peaks / loudest if loudest > 0 else peaks
    return "".join(_LEVELS[min(int(share * len(_LEVELS)), len(_LEVELS) - 1)] for share in shares)
