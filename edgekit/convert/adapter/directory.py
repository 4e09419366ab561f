"""A PEFT adapter's folder: its settings understood and its keys sorted."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from edgekit.convert.adapter.changes import Change, Origin
from edgekit.convert.adapter.factors import Factors
from edgekit.convert.adapter.fit import Fitter, Halves
from edgekit.convert.adapter.keys import Key, Role, parse
from edgekit.convert.adapter.ledger import LedgerEntry
from edgekit.convert.adapter.refused import RefusedError
from edgekit.convert.adapter.settings import CONFIG, Settings
from edgekit.convert.adapter.tensors import Tensors
from edgekit.convert.names import EMBEDDINGS, HEAD, plain_name
from edgekit.convert.safetensors import SafetensorsFile
from edgekit.errors import AdapterError, FileError

WEIGHTS = "adapter_model.safetensors"


@dataclass(frozen=True)
class Fitted:
    """What an adapter changes, each with the weight's name, and the keys that fit nowhere."""

    changes: list[tuple[str, Change]] = field(default_factory=list)
    refused: list[LedgerEntry] = field(default_factory=list)


class Adapter:
    """A LoRA adapter on the disk.

    Raises AdapterError for a kind of adapter that cannot be merged, FileError for a damaged one.
    """

    def __init__(self, directory: Path, weight: float = 1.0) -> None:
        self.directory = directory
        self.name = directory.name
        self.weight = weight
        self.settings = Settings(directory)
        self._file = self._open()
        try:
            self._factors = Factors(self._file)
            # Keys that say what another one says, by that one.
            self._repeated: dict[str, list[str]] = {}
            # The keys by the place where they belong.
            self.places = self._sort()
            self._check_complete()
            self._factors.check()
            self.sha256 = self._factors.digest()
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Close the adapter's file."""
        self._file.close()

    def check_unchanged(self) -> None:
        """Raise FileError where another program has written to the adapter's file since it was opened."""
        self._file.check_unchanged()

    def shape(self, key: str) -> tuple[int, ...]:
        """Return the shape of a tensor in the adapter's file."""
        return self._factors.shape(key)

    @cached_property
    def repeats_embeddings(self) -> bool:
        """Whether the file tells of the output layer what it tells of the token embeddings, which are tied to it."""
        head, embeddings = self._trained(HEAD), self._trained(EMBEDDINGS)
        return bool(head) and all(
            role in embeddings and self._same(key, embeddings[role]) for role, key in head.items()
        )

    def _trained(self, weight: str) -> Halves:
        """Return the keys of one weight, but for a copy of the base's own."""
        names = (weight, weight.removesuffix(".weight"))
        found = {
            role: key for (plain, _), halves in self.places.items() if plain in names for role, key in halves.items()
        }
        found.pop(Role.base, None)
        return found

    def _same(self, key: Key, other: Key) -> bool:
        if key.role == Role.tokens and self.settings.token_indices(key.path) != self.settings.token_indices(other.path):
            return False
        return self._factors.equal(key.text, other.text)

    def all_of(self, halves: Halves) -> tuple[str, ...]:
        """Return the keys of one place, and those that repeat them."""
        return tuple(text for key in halves.values() for text in (key.text, *self._repeated.get(key.text, ())))

    def fit(self, tensors: Tensors, mirrored: Collection[str] = ()) -> Fitted:
        """Return what each weight of a checkpoint becomes; `mirrored` are keys that only repeat others."""
        fitter = Fitter(Origin(self.name, self.weight, self._factors), self.settings, tensors)
        fitted = Fitted()
        for halves in self.places.values():
            keys = set(self.all_of(halves))
            if keys <= set(mirrored):
                continue
            try:
                for name, change in fitter.fit(halves):
                    again = tuple(key for first in change.keys for key in self._repeated.get(first, ()))
                    fitted.changes.append((name, replace(change, tied_keys=again)))
                    keys.difference_update(change.keys, again)
            except RefusedError as refusal:
                # The culprit first: a message names it.
                left = [refusal.key.text, *sorted(keys - {refusal.key.text})]
                reason = refusal.reason
                fitted.refused.extend(LedgerEntry(self.name, key, None, "refused", 0.0, None, reason) for key in left)
        return fitted

    def _open(self) -> SafetensorsFile:
        path = self.directory / WEIGHTS
        if not path.is_file() and (self.directory / "adapter_model.bin").is_file():
            raise FileError(
                f"{self.directory} holds a pickle adapter, which can run code when it is read: "
                "save it again with safe_serialization=True"
            )
        return SafetensorsFile(path)

    def _sort(self) -> dict[tuple[str, int], Halves]:
        places: dict[tuple[str, int], Halves] = {}
        for key in map(parse, self._factors.names):
            halves = places.setdefault(key.place, {})
            if key.role == Role.whole and key.role in halves and self._factors.equal(key.text, halves[key.role].text):
                # peft saves weights of a resized model twice.
                self._repeated.setdefault(halves[key.role].text, []).append(key.text)
                continue
            if key.role in halves:
                raise AdapterError(
                    f"{self.directory} holds two adapters, or one in two spellings: {halves[key.role].text} "
                    f"and {key.text}; save one alone"
                )
            halves[key.role] = key
        if not places:
            raise AdapterError(f"{self.directory} changes nothing: {WEIGHTS} holds no tensor")
        return places

    def _check_complete(self) -> None:
        """Raise AdapterError where the settings speak of trained weights that the file does not hold."""
        keys = [key for halves in self.places.values() for key in halves.values()]
        whole = [f".{name}." for key in keys if key.role == Role.whole for name in (key.path, key.plain)]
        for name in self.settings.saved_modules:
            # What is tied to a module peft names too, as another class of the model would.
            if not any(f".{one}." in path for path in whole for one in (name, plain_name(name))):
                raise AdapterError(
                    f"{self.directory}: {CONFIG}'s modules_to_save names {name}, which the file lacks: save it again"
                )
        if self.settings.trains_tokens and not any(key.role == Role.tokens for key in keys):
            raise AdapterError(
                f"{self.directory}: {CONFIG}'s trainable_token_indices names tokens that the file lacks: save it again"
            )
