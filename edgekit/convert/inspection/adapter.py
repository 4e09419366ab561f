"""A PEFT adapter."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from pathlib import Path
from typing import Any

from edgekit.convert.adapter import CONFIG, Adapter, Adapters
from edgekit.convert.checkpoint import Checkpoint, read_json
from edgekit.convert.inspection.report import Report, groups
from edgekit.convert.models import open_model
from edgekit.convert.safetensors import SafetensorsFile
from edgekit.errors import AdapterError, EdgekitError
from edgekit.hardware.problem import Problem

_WEIGHTS = "adapter_model.safetensors"
# Settings of a LoRA that change what it does, where they are set.
_SETTINGS = {
    "r": "rank",
    "lora_alpha": "alpha",
    "use_rslora": "rsLoRA",
    "use_dora": "DoRA",
    "rank_pattern": "ranks by name",
    "alpha_pattern": "alphas by name",
    "target_modules": "targets",
    "target_parameters": "target parameters",
    "modules_to_save": "whole modules",
    "trainable_token_indices": "trained tokens",
    "bias": "bias",
}


def inspect_adapter(directory: Path, base: Path | None = None) -> Report:
    """Describe an adapter; it is checked against `base`, or the folder that it names as its own, where that is here.

    Raises FileError where its config or its weights cannot be read.
    """
    config = read_json(directory / CONFIG, "name the folder of a PEFT adapter")
    named = config.get("base_model_name_or_path")
    base = base or _folder(named)
    with SafetensorsFile(directory / _WEIGHTS) as file:
        tensors = [(name, one.dtype, math.prod(one.shape), one.bytes) for name, one in file.entries.items()]
    return Report(
        path=directory,
        kind="adapter",
        bytes=sum(size for *_, size in tensors),
        architecture=str(config.get("peft_type") or "unknown"),
        name=directory.resolve().name,
        parameters=sum(count for _, _, count, _ in tensors),
        base=str(named) if named else None,
        tensors=groups(tensors),
        details=_details(config, base),
        problems=_problems(directory, base),
    )


def _folder(named: object) -> Path | None:
    """Return the folder that an adapter names as its base; None where it is not here."""
    # What a file says may be too long for a path.
    with suppress(OSError, ValueError):
        if isinstance(named, str) and (Path(named) / "config.json").is_file():
            return Path(named)
    return None


def _details(config: dict[str, Any], base: Path | None) -> dict[str, str]:
    # These say that a setting is not used.
    unused: tuple[object, ...] = (None, False, [], {}, "none")
    made = {name: _text(config[key]) for key, name in _SETTINGS.items() if config.get(key) not in unused}
    return made | {"checked against": str(base) if base else "no base model: name one as the second path"}


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value)


def _problems(directory: Path, base: Path | None) -> list[Problem]:
    try:
        Adapter(directory).close()
    except EdgekitError as problem:
        return [Problem("not_mergeable", str(problem))]
    if base is None:
        return []
    try:
        with Checkpoint(base) as checkpoint, Adapters((directory,)) as adapters:
            adapters.prepare(checkpoint)
            adapters.deltas(checkpoint.weights, open_model(checkpoint).shared_kv)
    except AdapterError as problem:
        return [Problem("adapter_of_another_base", str(problem))]
    except EdgekitError as problem:
        return [Problem("base", str(problem))]
    return []
