"""What became of each key of each adapter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class LedgerEntry:
    """What became of one key of an adapter."""

    adapter: str
    key: str
    # In the checkpoint's spelling; None where the key fits nowhere.
    tensor: str | None
    status: Literal["merged", "kept", "ineffective", "refused"]
    # What the product of the halves, or the difference to a trained weight, is multiplied by.
    scale: float
    # Frobenius norm of the change over that of the weight; None until it is merged, or where it is not.
    relative_change: float | None = None
    reason: str | None = None

    @property
    def line(self) -> str:
        """The entry in few words, for a file's metadata."""
        return f"{self.status} {self.key} {self.tensor or self.reason} {self.scale:g}"
