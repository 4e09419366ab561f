"""Adapters that stay apart from the weights: onnxruntime takes one of them, or none, for each run of the same graph."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgekit.convert.adapter import Change, LedgerEntry
from edgekit.convert.adapter.changes import LowRank
from edgekit.convert.names import plain_name
from edgekit.errors import AdapterError, UnsupportedError
from edgekit.installation import command_for

_VERSION = 1


def factor_names(matrix: str) -> tuple[str, str]:
    """Return what the two factors of a matrix's change are called in the graph: (width, rank) and (rank, outputs)."""
    return f"{matrix.removesuffix('.weight')}.lora_A.weight", f"{matrix.removesuffix('.weight')}.lora_B.weight"


@dataclass(frozen=True)
class KeptAdapters:
    """The changes that stay apart, by the checkpoint's names of the weights."""

    changes: Mapping[str, Sequence[Change]]

    @classmethod
    def of(cls, changes: Mapping[str, Sequence[Change]], unused: Mapping[str, str]) -> KeptAdapters:
        """Take what adapters do to a checkpoint; raises AdapterError for what is no low-rank change of a matrix."""
        found = {tensor: made for tensor, made in changes.items() if tensor not in unused}
        for tensor, change in ((tensor, change) for tensor, made in found.items() for change in made):
            inside = plain_name(tensor).startswith("layers.")
            if not isinstance(change, LowRank) or not inside or len(change.origin.factors.shape(change.keys[1])) != 2:
                raise AdapterError(
                    f"{change.keys[0]} does more than a low-rank change of a matrix in the language model's layers, "
                    "which only a merge can: leave out --keep-adapter"
                )
        return cls(found)

    @property
    def stems(self) -> dict[str, str]:
        """What the adapters' files are called, by the adapters; of two folders of one name the second gets a number."""
        found: dict[str, str] = {}
        for name in (change.origin.adapter for made in self.changes.values() for change in made):
            # An adapter may be given as "." too.
            plain = Path(name).resolve().name
            numbered = (f"{plain}-{number}" for number in count(2))
            if name not in found:
                found[name] = next(stem for stem in chain([plain], numbered) if stem not in found.values())
        return found

    def ledger(self) -> list[LedgerEntry]:
        """Return a line for each key."""
        return [
            LedgerEntry(change.origin.adapter, key, tensor, "kept", change.scale * change.origin.weight)
            for tensor, made in self.changes.items()
            for change in made
            for key in change.keys
        ]

    def file(self, adapter: str, names: Mapping[str, str], dtype: npt.DTypeLike) -> bytes:
        """Return an adapter's `.onnx_adapter`; `names` are the graph's names of weights by the checkpoint's.

        Raises UnsupportedError where onnxruntime, whose format it is, is not installed.
        """
        try:
            import onnxruntime
        except ModuleNotFoundError as problem:
            raise UnsupportedError(f"--keep-adapter needs onnxruntime: `{command_for('onnx')}` brings it") from problem
        values = {
            name: onnxruntime.OrtValue.ortvalue_from_numpy(value) for name, value in self._of(adapter, names, dtype)
        }
        made = onnxruntime.AdapterFormat()
        made.set_adapter_version(_VERSION)
        made.set_model_version(_VERSION)
        made.set_parameters(values)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "adapter")
            made.export_adapter(str(path))
            return path.read_bytes()

    def _of(
        self, adapter: str, names: Mapping[str, str], dtype: npt.DTypeLike
    ) -> Iterator[tuple[str, npt.NDArray[np.generic]]]:
        for tensor, made in self.changes.items():
            for change in made:
                if change.origin.adapter == adapter:
                    factors, (low, high) = change.origin.factors, change.keys
                    first, second = factor_names(names[tensor])
                    scale = change.scale * change.origin.weight
                    yield first, np.ascontiguousarray(factors.whole(low).T, dtype)
                    yield second, np.ascontiguousarray(scale * factors.whole(high).T, dtype)
