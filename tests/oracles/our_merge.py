"""edgekit's merge alone, before any file is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.convert.adapter import Adapters, LedgerEntry
from edgekit.convert.checkpoint import Checkpoint
from edgekit.convert.merging import Merging
from edgekit.convert.rounding import rounded

Doubles = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class OurMerge:
    """What edgekit makes of the tensors that adapters change, by their names in the checkpoint."""

    exact: dict[str, Doubles] = field(default_factory=dict)
    # As they are written in the checkpoint's own type and in float32.
    written: dict[str, Doubles] = field(default_factory=dict)
    single: dict[str, Doubles] = field(default_factory=dict)
    ledger: list[LedgerEntry] = field(default_factory=list)


def our_merge(
    base: Path, adapters: Sequence[Path], weights: Sequence[float] = (), *, allow_unmerged: bool = False
) -> OurMerge:
    """Merge by blocks of three rows."""
    made = OurMerge()
    with Checkpoint(base) as checkpoint, Adapters(adapters, weights, allow_unmerged=allow_unmerged) as opened:
        opened.prepare(checkpoint)
        merging = Merging(opened.deltas(checkpoint.weights, {}), {}, opened.refused)
        for name, weight in checkpoint.weights.items():
            if not merging.touches(name):
                continue
            steps = [(start, min(start + 3, weight.height)) for start in range(0, weight.height, 3)]
            exact = np.concatenate([merging.exact(name, weight.rows(*step), step[0]) for step in steps])
            made.exact[name] = exact.reshape(weight.shape)
            made.written[name] = _doubles(rounded(exact, weight.dtype)).reshape(weight.shape)
            made.single[name] = _doubles(exact.astype(np.float32)).reshape(weight.shape)
        made.ledger.extend(merging.ledger())
    return made


def _doubles(values: np.ndarray[Any, Any]) -> Doubles:
    return values.astype(np.float32).astype(np.float64)
