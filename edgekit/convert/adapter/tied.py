"""Token embeddings and output layer, which Gemma ties: an adapter may change both, or one, and so part them.

In training peft gives the layer that it changes a copy of its own, except for single tokens, or where
ensure_weight_tying is set; what counts here is that, and not what peft's merge makes of it: that adds the low-rank
changes of either to both (issue 2777 there).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from edgekit.convert.adapter.changes import Change, Untrained
from edgekit.convert.adapter.directory import Adapter
from edgekit.convert.adapter.keys import Role
from edgekit.convert.adapter.tensors import Tensors
from edgekit.convert.checkpoint import Checkpoint
from edgekit.convert.names import EMBEDDINGS, HEAD, plain_name

_PARTED = "parted from the output layer, as it was in training"


def parts_head(adapter: Adapter) -> bool:
    """Say whether embeddings and output layer, if they were one, are two after an adapter's training."""
    if _keeps_tie(adapter):
        return False
    return any(
        (_is_head(plain) and halves.keys() - {Role.base})
        or (plain.split(".")[0] == "embed_tokens" and halves.keys() - {Role.base, Role.tokens})
        for (plain, _), halves in adapter.places.items()
    )


def untie(checkpoint: Checkpoint, adapters: Iterable[Adapter]) -> None:
    """Give the output layer a weight of its own, equal to the embeddings, where an adapter parts the two."""
    weights = checkpoint.weights
    found = next((name for name in weights if plain_name(name) == EMBEDDINGS), None)
    if found and HEAD not in weights and any(map(parts_head, adapters)):
        weights[HEAD] = replace(weights[found], name=HEAD, stored=found)
        parted = {"tie_word_embeddings": False}
        inside = checkpoint.config.get("text_config")
        checkpoint.config = checkpoint.config | parted
        if isinstance(inside, dict):
            checkpoint.config |= {"text_config": inside | parted}


class Ties:
    """What the tie means for one adapter on a checkpoint; an untied checkpoint has none."""

    def __init__(self, adapter: Adapter, tensors: Tensors) -> None:
        head = tensors.weight(HEAD)
        self._embeddings = tensors.name(EMBEDDINGS)
        self._parts = parts_head(adapter)
        # None while the output layer has no weight of its own.
        self._head = head and head.name
        self._is_tied = head is None or head.stored is not None
        self.mirrored = tuple(
            text
            for (plain, _), halves in adapter.places.items()
            if self._is_tied and _keeps_tie(adapter) and _is_head(plain)
            for text in adapter.all_of(halves)
        )

    def apply(self, changes: Iterable[tuple[str, Change]]) -> Iterator[tuple[str, Change]]:
        """Yield changes, those of the embeddings for the output layer too where they are tied."""
        mirrored = self.mirrored
        for name, change in changes:
            if name != self._embeddings or not self._is_tied or isinstance(change, Untrained):
                yield name, change
                continue
            again = (*change.tied_keys, *mirrored)
            yield name, replace(change, tied_keys=again, note=_PARTED if self._parts else change.note)
            mirrored = ()
            if self._head and not self._parts:
                yield self._head, change

    def orphans(self, changes: Iterable[tuple[str, Change]]) -> tuple[str, ...]:
        """Return the keys that repeat a change of the embeddings which is not made."""
        return () if any(name == self._embeddings for name, _ in changes) else self.mirrored


def _keeps_tie(adapter: Adapter) -> bool:
    return adapter.settings.ties_embeddings or adapter.repeats_embeddings


def _is_head(plain: str) -> bool:
    return plain.split(".")[0] == "lm_head"
