"""From float64 to the types of checkpoints, rounded once."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from edgekit.convert.safetensors import Doubles


def rounded(values: Doubles, dtype: str) -> npt.NDArray[Any]:
    """Return values in a type as safetensors names it, each the nearest there is, ties to even; F32, F16 or BF16."""
    if dtype == "BF16":
        return _to_bfloat16(values)
    # What is too large becomes infinity, which the caller looks for.
    with np.errstate(over="ignore"):
        return values.astype({"F32": np.float32, "F16": np.float16}[dtype])


def _to_bfloat16(values: Doubles) -> npt.NDArray[Any]:
    # ml_dtypes rounds to float32 on the way, and what that makes a tie would be rounded a second time. Cut off instead,
    # with the last bit saying that there was more ("round to odd"), the second rounding is the only one.
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    back = single.astype(np.float64)
    bits = single.view(np.uint32)
    bits -= np.abs(back) > np.abs(values)
    bits |= back != values
    return bits.view(np.float32).astype(ml_dtypes.bfloat16)
