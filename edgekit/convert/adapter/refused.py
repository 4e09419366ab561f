"""Why a key of an adapter cannot be merged."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.convert.adapter.keys import Key
from edgekit.convert.checkpoint import Weight

FOREIGN = "it fits none of the checkpoint's tensors"


class RefusedError(Exception):
    """A key that cannot be merged, and why; the reason calls it `it`."""

    def __init__(self, key: Key, reason: str) -> None:
        super().__init__(reason)
        self.key = key
        self.reason = reason


def wrong_shape(key: Key, shapes: Sequence[tuple[int, ...]], weight: Weight) -> RefusedError:
    """Return the refusal of a key whose shape, with that of its other half, is not the weight's."""
    found = " with ".join(str(list(shape)) for shape in shapes)
    return RefusedError(key, f"its shape {found} does not fit {weight.name}, which has {list(weight.shape)}")


def check_rank(key: Key, found: tuple[int, ...], expected: int) -> None:
    """Raise RefusedError where a half has another rank than the settings say."""
    if found != (expected,):
        raise RefusedError(key, f"it has {list(found)} rows, which is not the rank that adapter_config.json says")
