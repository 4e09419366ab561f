"""What adapter_config.json says about how an adapter is to be merged."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

from edgekit.convert.checkpoint import read_json
from edgekit.errors import AdapterError, FileError

CONFIG = "adapter_config.json"
# Settings that change what a merge would have to do, and what they are called.
_UNSUPPORTED = {
    "layer_replication": "replicated layers (layer_replication)",
    "use_qalora": "QALoRA",
    "use_bdlora": "BD-LoRA",
    "kasa_config": "KaSA",
    "monteclora_config": "MonteCLoRA",
    "arrow_config": "Arrow routing, which cannot be merged",
    "alora_invocation_tokens": "activated LoRA (alora_invocation_tokens), which cannot be merged",
}
# Initialisations that change the base weights too: the adapter alone does not say by how much.
_CHANGED_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")
# Before, the two sides of experts' matrices were exchanged.
_EXPERTS_AS_LINEAR = (0, 19)


class Settings:
    """The settings of a LoRA adapter.

    Raises AdapterError for a kind of adapter that cannot be merged, FileError where there are no settings.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._values = self._read()
        self._check_kind()
        self._check_base()

    @property
    def uses_dora(self) -> bool:
        """Whether each matrix has a magnitude for each of its rows."""
        return bool(self._values.get("use_dora"))

    @property
    def ties_embeddings(self) -> bool:
        """Whether what is trained of the token embeddings is trained of the output layer too."""
        return bool(self._values.get("ensure_weight_tying"))

    @property
    def orders_by_expert(self) -> bool:
        """Whether the columns of experts' B stand expert by expert, as Unsloth trains them, and not rank by rank."""
        mapping = self._values.get("auto_mapping")
        return isinstance(mapping, dict) and bool(mapping.get("unsloth_fixed"))

    @property
    def swaps_experts(self) -> bool:
        """Whether A and B of experts stand on each other's side, as peft had it before 0.19."""
        match = re.match(r"(\d+)\.(\d+)", str(self._values.get("peft_version") or ""))
        return match is not None and (int(match[1]), int(match[2])) < _EXPERTS_AS_LINEAR

    @property
    def saved_modules(self) -> list[str]:
        """The modules that were trained whole."""
        return [str(name) for name in self._list("modules_to_save")]

    @property
    def trains_tokens(self) -> bool:
        """Whether single rows of embeddings were trained."""
        return bool(self._values.get("trainable_token_indices"))

    def trained_tokens(self, path: str) -> list[int]:
        """Return which rows of an embedding were trained alone; none of one that the settings do not name."""
        return self.token_indices(path) if self._given_tokens(path) is not None else []

    def token_indices(self, path: str) -> list[int]:
        """Return which rows of an embedding were trained."""
        given = self._given_tokens(path)
        if not isinstance(given, list) or not all(isinstance(row, int) and row >= 0 for row in given):
            raise AdapterError(f"{self._directory}: {CONFIG} does not say which tokens of {path} were trained")
        return given

    def _given_tokens(self, path: str) -> Any:  # noqa: ANN401 - JSON
        given = self._values.get("trainable_token_indices")
        if not isinstance(given, dict):
            return given
        return next((rows for name, rows in given.items() if path == name or path.endswith(f".{name}")), None)

    def scale(self, path: str) -> tuple[float, int]:
        """Return by what a module's change is multiplied, and its rank."""
        rank = self._pattern("rank_pattern", path, "r")
        alpha = self._pattern("alpha_pattern", path, "lora_alpha")
        if rank <= 0 or rank != int(rank):
            raise AdapterError(f"{self._directory}: {CONFIG}'s rank for {path} is {rank}")
        return alpha / (math.sqrt(rank) if self._values.get("use_rslora") else rank), int(rank)

    def _list(self, setting: str) -> list[Any]:
        found = self._values.get(setting) or []
        if not isinstance(found, list):
            raise AdapterError(f"{self._directory}: {CONFIG}'s {setting} is no list")
        return found

    def _read(self) -> dict[str, Any]:
        if not self._directory.is_dir():
            raise FileError(f"{self._directory} is no folder: name the folder of a PEFT adapter")
        inside = sorted(path.parent for path in self._directory.glob(f"*/{CONFIG}"))
        if inside and not (self._directory / CONFIG).exists():
            # peft saves an adapter that has a name into a folder of that name.
            raise FileError(f"{self._directory} holds no {CONFIG}, but {inside[0]} does: name that folder")
        return read_json(self._directory / CONFIG, "name the folder of a PEFT adapter")

    def _check_kind(self) -> None:
        kind = self._values.get("peft_type")
        if not isinstance(kind, str):
            raise AdapterError(f"{self._directory / CONFIG} has no peft_type: save the adapter again with peft")
        if kind != "LORA":
            raise AdapterError(f"{self._directory} is a {kind} adapter; edgekit merges LoRA: merge it with peft first")
        used = [what for key, what in _UNSUPPORTED.items() if self._values.get(key) not in (None, False, [], {})]
        if used:
            raise AdapterError(f"{self._directory} uses {' and '.join(used)}: merge it with peft first if it can be")

    def _check_base(self) -> None:
        start = str(self._values.get("init_lora_weights")).lower()
        if start.startswith(_CHANGED_BASE):
            raise AdapterError(
                f"{self._directory} began with init_lora_weights={start!r}, which changed the base weights too: "
                "save it again with path_initial_model_for_weight_conversion"
            )

    def _pattern(self, setting: str, module: str, default: str) -> float:
        """Find a module's rank or alpha; a pattern matches a name or its end, and the first one wins, as in peft."""
        patterns = self._values.get(setting) or {}
        try:
            matching = next((key for key in patterns if re.match(rf"(.*\.)?({key})$", module)), None)
            value = self._values.get(default) if matching is None else patterns[matching]
        except (re.error, TypeError, AttributeError) as problem:
            raise AdapterError(f"{self._directory}: {CONFIG}'s {setting} cannot be read ({problem})") from problem
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            blamed = default if matching is None else f"{setting} for {module}"
            raise AdapterError(f"{self._directory}: {CONFIG}'s {blamed} is no number: {json.dumps(value)[:60]}")
        return value
