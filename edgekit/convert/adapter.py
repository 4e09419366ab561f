"""PEFT adapters: every key a delta on a named tensor, or a refusal with its reason."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from edgekit.convert.checkpoint import Weight, read_json
from edgekit.convert.safetensors import SafetensorsFile
from edgekit.errors import AdapterError, FileError

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"

# Settings of adapter_config.json that change what a merge must do, and what they are called.
_NOT_YET = {
    "use_dora": "DoRA",
    "modules_to_save": "whole modules (modules_to_save)",
    "trainable_token_indices": "trained token embeddings (trainable_token_indices)",
    "target_parameters": "parameters without a module (target_parameters)",
    "fan_in_fan_out": "transposed weights (fan_in_fan_out)",
    "layer_replication": "replicated layers (layer_replication)",
    "lora_bias": "biases (lora_bias)",
    "use_qalora": "QALoRA",
    "use_bdlora": "BD-LoRA",
    "alora_invocation_tokens": "activated LoRA (alora_invocation_tokens), which cannot be merged",
}
_KEY = re.compile(r"(?P<module>.+)\.lora_(?P<half>[AB])(\.default)?\.weight")
# Wrappers around the module names, which differ between releases of transformers and between model classes.
_WRAPPERS = re.compile(r"^(?:base_model\.|model\.|language_model\.)+")


@dataclass(frozen=True)
class LedgerEntry:
    """What became of one key of an adapter."""

    adapter: str
    key: str
    # In the checkpoint's spelling; None where the key fits nowhere.
    tensor: str | None
    status: Literal["merged", "ineffective", "refused"]
    scale: float
    # Frobenius norm of the change over that of the weight; None until it is merged, or where it is not.
    relative_change: float | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Delta:
    """A low-rank change of one weight: scale * B @ A."""

    adapter: str
    # The two keys in the adapter's file.
    key_a: str
    key_b: str
    scale: float
    file: SafetensorsFile

    def rows(self, start: int, stop: int) -> npt.NDArray[np.float64]:
        """Return rows of the change, computed in double precision so that merging rounds only once."""
        rank = self.file.entries[self.key_a].shape[0]
        low = self.file.rows(self.key_a, 0, rank).astype(np.float64)
        return self.scale * (self.file.rows(self.key_b, start, stop).astype(np.float64) @ low)

    def entries(self, tensor: str, relative_change: float | None, unused: str | None) -> list[LedgerEntry]:
        """Return the ledger's lines; `unused` says why the weight is never used, if so."""
        status: Literal["merged", "ineffective"] = "ineffective" if unused else "merged"
        return [
            LedgerEntry(self.adapter, key, tensor, status, self.scale, relative_change, unused)
            for key in (self.key_a, self.key_b)
        ]


class Adapter:
    """A PEFT LoRA directory, its settings understood and its keys paired.

    Raises AdapterError for a kind of adapter that cannot be merged, FileError for a damaged one.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.name = directory.name
        if not directory.is_dir():
            raise FileError(f"{directory} is no folder: name the folder of a PEFT adapter")
        self.config = read_json(directory / CONFIG, "name the folder of a PEFT adapter")
        self._check_kind()
        self._file = self._open()
        try:
            self._pairs = self._find_pairs()
            self.sha256 = _digest(directory / WEIGHTS)
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Close the adapter's file."""
        self._file.close()

    def deltas(self, weights: Mapping[str, Weight], shared_kv: Mapping[str, str]) -> dict[str, Delta]:
        """Return the change of each weight of a checkpoint, by the weight's name.

        `shared_kv` maps names of weights that need not exist, since they are never used, to the reason.
        Raises AdapterError where a key fits no weight or has another shape, or a value is no number.
        """
        named = {_plain_name(name): name for name in [*shared_kv, *weights]}
        found: dict[str, Delta] = {}
        for module, halves in self._pairs.items():
            plain = _plain_name(module)
            tensor = named.get(f"{plain}.weight") or named.get(f"{plain}.linear.weight")
            if tensor is None:
                raise AdapterError(
                    f"{self.directory} does not belong to this checkpoint: its {halves['A']} fits none of the "
                    "checkpoint's tensors; name the base model that it was trained on"
                )
            delta = Delta(self.name, halves["A"], halves["B"], self._scale(module, halves["A"]), self._file)
            if tensor in weights:
                self._check_shape(delta, weights[tensor])
            if tensor in found:
                raise AdapterError(f"{self.directory} changes {tensor} twice, the second time by {delta.key_a}")
            self._check_values(delta)
            found[tensor] = delta
        return found

    def _check_kind(self) -> None:
        kind = self.config.get("peft_type")
        if not isinstance(kind, str):
            raise AdapterError(f"{self.directory / CONFIG} has no peft_type: save the adapter again with peft")
        if kind != "LORA":
            raise AdapterError(f"{self.directory} is a {kind} adapter; edgekit merges LoRA: merge it with peft first")
        bias = self.config.get("bias", "none")
        used = [what for key, what in _NOT_YET.items() if self.config.get(key) not in (None, False, [], {})]
        used += [f"biases (bias={bias!r})"] if bias != "none" else []
        if used:
            raise AdapterError(
                f"{self.directory} uses {' and '.join(used)}; edgekit merges plain LoRA and rsLoRA today: "
                "merge it with peft first"
            )

    def _open(self) -> SafetensorsFile:
        path = self.directory / WEIGHTS
        if not path.is_file() and (self.directory / "adapter_model.bin").is_file():
            raise FileError(
                f"{self.directory} holds a pickle adapter, which can run code when it is read: "
                "save it again with safe_serialization=True"
            )
        return SafetensorsFile(path)

    def _find_pairs(self) -> dict[str, dict[str, str]]:
        pairs: dict[str, dict[str, str]] = {}
        for key in self._file.entries:
            match = _KEY.fullmatch(key)
            if match is None:
                raise AdapterError(f"{self.directory}: {key} is no half of a plain LoRA; merge it with peft first")
            pairs.setdefault(match["module"], {})[match["half"]] = key
        for module, halves in pairs.items():
            if len(halves) != 2:
                raise AdapterError(
                    f"{self.directory}: {module} has only lora_{next(iter(halves))}, one half: save it again"
                )
        if not pairs:
            raise AdapterError(f"{self.directory} changes nothing: {WEIGHTS} holds no tensor")
        return pairs

    def _scale(self, module: str, key_a: str) -> float:
        name = re.sub(r"^base_model\.model\.", "", module)
        rank = self._pattern("rank_pattern", name, "r")
        alpha = self._pattern("alpha_pattern", name, "lora_alpha")
        shape = self._file.entries[key_a].shape
        if rank <= 0 or not shape or shape[0] != rank:
            raise AdapterError(f"{self.directory}: {key_a} is {list(shape)}, adapter_config.json says rank {rank}")
        return float(alpha / math.sqrt(rank) if self.config.get("use_rslora") else alpha / rank)

    def _pattern(self, setting: str, module: str, default: str) -> float:
        """Find a module's rank or alpha; a pattern matches a name or its end, and the first one wins, as in peft."""
        patterns = self.config.get(setting) or {}
        try:
            matching = next((key for key in patterns if re.match(rf"(.*\.)?({key})$", module)), None)
            value = self.config.get(default) if matching is None else patterns[matching]
        except (re.error, TypeError, AttributeError) as problem:
            raise AdapterError(f"{self.directory}: {CONFIG}'s {setting} cannot be read ({problem})") from problem
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            blamed = default if matching is None else f"{setting} for {module}"
            raise AdapterError(f"{self.directory}: {CONFIG}'s {blamed} is no number: {json.dumps(value)[:60]}")
        return value

    def _check_shape(self, delta: Delta, weight: Weight) -> None:
        low, high = self._file.entries[delta.key_a].shape, self._file.entries[delta.key_b].shape
        if len(weight.shape) != 2 or (*high[:1], *low[1:]) != weight.shape or high[1:] != low[:1]:
            raise AdapterError(
                f"{self.directory} does not belong to this checkpoint: {delta.key_b} and its A have shapes "
                f"{list(high)} and {list(low)}, {weight.name} has {list(weight.shape)}; "
                "name the base model that it was trained on"
            )

    def _check_values(self, delta: Delta) -> None:
        for key in (delta.key_a, delta.key_b):
            height = self._file.entries[key].shape[0]
            if not np.isfinite(self._file.rows(key, 0, height)).all():
                raise AdapterError(f"{self.directory}: {key} holds NaN or infinity: its training diverged")


class Adapters:
    """Several adapters on one checkpoint: the sum of their changes, and the ledger."""

    def __init__(self, directories: tuple[Path, ...]) -> None:
        self._open = ExitStack()
        self.all: list[Adapter] = []
        try:
            for number, directory in enumerate(directories):
                if directory.resolve() in [earlier.resolve() for earlier in directories[:number]]:
                    raise AdapterError(f"{directory} is given twice, and would count double: name each adapter once")
                adapter = Adapter(directory)
                self._open.callback(adapter.close)
                if adapter.name in [other.name for other in self.all]:
                    # Trainers like to call their output `adapter`: the ledger must tell two of them apart.
                    adapter.name = str(directory)
                self.all.append(adapter)
        except BaseException:
            self._open.close()
            raise

    def __enter__(self) -> Adapters:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._open.close()

    def deltas(self, weights: Mapping[str, Weight], shared_kv: Mapping[str, str]) -> dict[str, list[Delta]]:
        """Return all changes of each weight; the parameters are those of `Adapter.deltas`."""
        found: dict[str, list[Delta]] = {}
        for adapter in self.all:
            for tensor, delta in adapter.deltas(weights, shared_kv).items():
                found.setdefault(tensor, []).append(delta)
        return found


def _plain_name(name: str) -> str:
    return _WRAPPERS.sub("", name)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()
