"""What a GGUF says about where it comes from: the `general.*` keys, and edgekit's own."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from pathlib import Path

import gguf
import yaml
from gguf import GGUFValueType, Keys

from edgekit import __version__
from edgekit.convert import keys
from edgekit.convert.checkpoint import read_json
from edgekit.convert.plan import TensorPlan
from edgekit.errors import FileError

_GENERATION = "generation_config.json"
# The keys that edgekit adds to those of llama.cpp's converter, each with its reason.
OWN_KEYS = {
    "edgekit.version": "which edgekit wrote the file, for reports of wrong conversions",
    "edgekit.base": "which checkpoint it was made from, since a merged file no longer shows it",
    "edgekit.adapters": "which adapters are merged into it",
    "edgekit.adapters.weight": "how much of each, 1 being all",
    "edgekit.adapters.sha256": "which state of those adapters, to tell two trainings apart",
    "edgekit.ledger": "what became of each adapter tensor: status, tensor and scale, one line each",
    "clip.use_gelu": "Gemma 4's vision tower computes GELU by tanh; left out, llama.cpp takes a coarser formula",
}


def general(directory: Path, name: str | None, plans: Sequence[TensorPlan]) -> dict[str, keys.Value]:
    """Return name, size, licence, base models and sampling defaults, as gguf's own heuristics find them.

    `name` overrides the folder's; `plans` are the file's tensors, which are counted.
    """
    if (directory / _GENERATION).is_file():
        read_json(directory / _GENERATION, "copy it from the base model")
    counts = _parameters(plans)
    try:
        (name or directory.name).encode()
    except UnicodeEncodeError:
        raise FileError(
            f"the name of {directory} is no text that a GGUF can hold: choose another with --name"
        ) from None
    try:
        found = gguf.Metadata.load(None, directory, name, counts[0])
        # The gguf package learned to read this one after 0.19.
        if found.sampling_penalty_repeat is None:
            found.sampling_penalty_repeat = gguf.Metadata.load_generation_config(directory).get("repetition_penalty")
        found.name = found.name or directory.name
        found.size_label = found.size_label or gguf.size_label(*counts)
        # Serves as a table of keys and types only: it is never given a file.
        table = gguf.GGUFWriter(path=None, arch="")
        found.set_gguf_meta_model(table)
        entries = {key: entry for key, entry in table.kv_data[0].items() if key != Keys.General.ARCHITECTURE}
        return {key: _value(entry.value, entry.type) for key, entry in entries.items()}
    except (
        yaml.YAMLError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        ArithmeticError,
        struct.error,
    ) as problem:
        raise FileError(
            f"{directory}: the head of README.md or a value in {_GENERATION} is damaged: copy them from the base model"
        ) from problem


def _parameters(plans: Sequence[TensorPlan]) -> tuple[int, int, int, int]:
    """Count all weights, those that every token uses, those of one expert, and experts, as gguf's writer does."""
    shared = expert = 0
    counts = []
    for plan in plans:
        if "_exps." in plan.name and len(plan.shape) >= 3:
            expert += math.prod(plan.shape[-2:])
            counts.append(plan.shape[-3])
        else:
            shared += plan.elements
    total = sum(plan.elements for plan in plans)
    return total, shared, expert, sum(counts) // len(counts) if counts else 0


def _value(value: object, type: GGUFValueType) -> keys.Value:
    if isinstance(value, list):
        return keys.array(GGUFValueType.STRING, [str(item) for item in value])
    if not isinstance(value, (bool, int, float, str)):
        raise TypeError(f"{value!r} is no value for a key")
    made = keys.Value(type, (value,))
    # Fails here, where the culprit is known, and not when the header is made.
    keys.encode(made)
    return made


def _readable(name: str) -> str:
    """Return a folder's name as text; bytes that are none of UTF-8 stand in Python's string as lone surrogates."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def own(base: str, adapters: list[tuple[str, float, str]], ledger: list[str]) -> dict[str, keys.Value]:
    """Return edgekit's own keys; `adapters` are names, weights and digests, `ledger` has a line for each key."""
    made = {"edgekit.version": keys.text(__version__), "edgekit.base": keys.text(_readable(base))}
    if adapters:
        names, weights, digests = zip(*adapters, strict=True)
        made["edgekit.adapters"] = keys.array(GGUFValueType.STRING, [_readable(name) for name in names])
        made["edgekit.adapters.weight"] = keys.array(GGUFValueType.FLOAT32, weights)
        made["edgekit.adapters.sha256"] = keys.array(GGUFValueType.STRING, digests)
        made["edgekit.ledger"] = keys.array(GGUFValueType.STRING, ledger)
    return made
