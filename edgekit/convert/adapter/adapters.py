"""Several adapters on one checkpoint, each with a weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from edgekit.convert.adapter.appended import Appended
from edgekit.convert.adapter.changes import Change, Untrained
from edgekit.convert.adapter.directory import Adapter, Fitted
from edgekit.convert.adapter.ledger import LedgerEntry
from edgekit.convert.adapter.tensors import Tensors
from edgekit.convert.adapter.tied import Ties, untie
from edgekit.convert.adapter.vocabulary import check_filled, grow
from edgekit.convert.checkpoint import Checkpoint, Weight
from edgekit.errors import AdapterError

_LARGEST_FLOAT = float(np.finfo(np.float32).max)
_ORPHAN = "it repeats a change of the token embeddings, which is not made"


class Adapters:
    """Several adapters: what they change adds up, each change measured from the base weight, in any order.

    Raises AdapterError for an adapter that cannot be merged, FileError for a damaged one.
    """

    def __init__(
        self, directories: Sequence[Path], weights: Sequence[float] = (), *, allow_unmerged: bool = False
    ) -> None:
        """Take a weight for each folder, 1 if not given; `allow_unmerged` leaves out keys that fit nowhere."""
        self._open = ExitStack()
        self._allow_unmerged = allow_unmerged
        self.all: list[Adapter] = []
        # The keys that were left out.
        self.refused: list[LedgerEntry] = []
        try:
            for number, directory in enumerate(directories):
                if directory.resolve() in [earlier.resolve() for earlier in directories[:number]]:
                    raise AdapterError(f"{directory} is given twice, and would count double: name each adapter once")
                self._add(directory, weights[number] if weights else 1.0)
        except BaseException:
            self._open.close()
            raise

    def __enter__(self) -> Adapters:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._open.close()

    def check_unchanged(self) -> None:
        """Raise FileError where another program has written to an adapter since it was opened."""
        for adapter in self.all:
            adapter.check_unchanged()

    def prepare(self, checkpoint: Checkpoint) -> None:
        """Give a checkpoint what adapters add to it: an output layer apart from the embeddings, more tokens.

        Its weights and its config are then those of the merged model. Raises AdapterError where it cannot be.
        """
        untie(checkpoint, self.all)
        grow(checkpoint, self.all)

    def deltas(self, weights: Mapping[str, Weight], unused: Mapping[str, str]) -> dict[str, list[Change]]:
        """Return all changes of each weight of a checkpoint, by the weight's name.

        `unused` maps names of weights that need not exist, since they are never used, to the reason.
        Raises AdapterError where a key fits no weight or has another shape.
        """
        tensors = Tensors(weights, unused)
        found: dict[str, list[Change]] = {}
        self.refused = []
        for adapter in self.all:
            ties = Ties(adapter, tensors)
            fitted = adapter.fit(tensors, ties.mirrored)
            fitted.refused.extend(
                LedgerEntry(adapter.name, key, None, "refused", 0.0, None, _ORPHAN)
                for key in ties.orphans(fitted.changes)
            )
            self._check(adapter, fitted)
            self.refused += fitted.refused
            for tensor, change in ties.apply(fitted.changes):
                found.setdefault(tensor, []).append(change)
        for name, weight in weights.items():
            check_filled(name, weight, found.get(name, ()))
        return found

    def _add(self, directory: Path, weight: float) -> None:
        # The file keeps the weight, in single precision.
        if not 0 < abs(weight) <= _LARGEST_FLOAT:
            raise AdapterError(f"{directory} cannot be merged with weight {weight:g}: give another, or leave it out")
        adapter = Adapter(directory, weight)
        self._open.callback(adapter.close)
        if adapter.name in [other.name for other in self.all]:
            # Trainers like to call their output `adapter`: the ledger must tell two of them apart.
            adapter.name = str(directory)
        self.all.append(adapter)

    def _check(self, adapter: Adapter, fitted: Fitted) -> None:
        _check_once(adapter, fitted)
        if not fitted.refused or (self._allow_unmerged and fitted.changes):
            return
        first, others = fitted.refused[0], len(fitted.refused) - 1
        more = f" (and {others} more keys)" if others else ""
        advice = ", or leave such keys out with --allow-unmerged" if fitted.changes else ""
        raise AdapterError(
            f"{adapter.directory} does not belong to this checkpoint or is damaged: "
            f"{first.key}: {first.reason}{more}; name the base model that it was trained on{advice}"
        )


def _check_once(adapter: Adapter, fitted: Fitted) -> None:
    """Raise AdapterError where two keys of one adapter do the same to one weight."""
    seen: set[tuple[str, bool]] = set()
    for tensor, change in fitted.changes:
        if isinstance(change, (Untrained, Appended)):
            continue
        if (tensor, change.replaces) in seen:
            raise AdapterError(f"{adapter.directory} changes {tensor} twice, the second time by {change.keys[0]}")
        seen.add((tensor, change.replaces))
