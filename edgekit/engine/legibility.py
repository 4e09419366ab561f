"""How many soft tokens a picture needs so that what is written in it can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

USUAL, PAGE, LARGE_PAGE = 280, 560, 1120
# 560 tokens show about so many pixels: more tell nothing of a smaller page.
_PAGE_PIXELS = 1_500_000
# Looked at in this size at most: strokes of printed text are then one to three pixels wide.
_SIDE = 1024
# Steps in brightness between neighbours that a stroke makes and shading does not.
_STEP = 64
# A page is paper and ink: most pixels have one of two brightnesses, give or take as much.
_TWO_TONES, _TOLERANCE = 0.8, 24
# Share of pixels at the edge of a stroke; drawn shapes have less, foliage as much but not in two tones.
_PAGE_EDGES = 0.03


def suited_tokens(image: Image.Image) -> int:
    """Return 280, or 560 and 1120 for pictures full of text, of an upright RGB image."""
    import numpy as np

    grey = image.convert("L")
    grey.thumbnail((_SIDE, _SIDE))
    values = np.asarray(grey, np.int16)
    if _edges(values) < _PAGE_EDGES or _in_two_tones(values) < _TWO_TONES:
        return USUAL
    return LARGE_PAGE if image.width * image.height > _PAGE_PIXELS else PAGE


def _edges(values: np.ndarray[Any, Any]) -> float:
    import numpy as np

    across = np.abs(np.diff(values, axis=1)) > _STEP
    return float(across.mean()) if across.size else 0.0


def _in_two_tones(values: np.ndarray[Any, Any]) -> float:
    """Return the share of pixels near the commonest brightness, or near the commonest one far from it."""
    import numpy as np

    counts = np.bincount(values.ravel(), minlength=256)
    paper = int(counts.argmax())
    far = counts.copy()
    far[max(0, paper - 2 * _TOLERANCE) : paper + 2 * _TOLERANCE + 1] = 0
    ink = int(far.argmax())
    near = {tone for centre in (paper, ink) for tone in range(centre - _TOLERANCE, centre + _TOLERANCE + 1)}
    return float(sum(counts[tone] for tone in near if 0 <= tone < len(counts)) / counts.sum())
