"""Two GGUF files, key by key and tensor by tensor, read by llama.cpp's own reader."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFReader


@dataclass(frozen=True)
class Contents:
    """Keys with their types and values, tensors with their type, shape and bytes."""

    keys: dict[str, tuple[Any, ...]]
    tensors: dict[str, tuple[str, tuple[int, ...], bytes]]


def contents(path: Path) -> Contents:
    reader = GGUFReader(path)
    keys = {
        name: (tuple(kind.name for kind in field.types), _plain(field.contents()))
        for name, field in reader.fields.items()
        # Version and counts, which the reader shows as fields.
        if not name.startswith("GGUF.")
    }
    tensors = {
        tensor.name: (
            tensor.tensor_type.name,
            tuple(int(length) for length in tensor.shape),
            np.ascontiguousarray(tensor.data).tobytes(),
        )
        for tensor in reader.tensors
    }
    return Contents(keys, tensors)


def _plain(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def differences(ours: Path, theirs: Path, *, allowed: frozenset[str] = frozenset()) -> list[str]:
    """List what differs; keys of `allowed` may be ours alone."""
    mine, other = contents(ours), contents(theirs)
    found = [f"key {key} is missing" for key in sorted(other.keys.keys() - mine.keys.keys())]
    found += [f"key {key} is extra" for key in sorted(mine.keys.keys() - other.keys.keys() - allowed)]
    found += [f"tensor {name} is missing" for name in sorted(other.tensors.keys() - mine.tensors.keys())]
    found += [f"tensor {name} is extra" for name in sorted(mine.tensors.keys() - other.tensors.keys())]
    for key in sorted(mine.keys.keys() & other.keys.keys()):
        if mine.keys[key] != other.keys[key]:
            found.append(f"key {key}: {str(mine.keys[key])[:120]} against {str(other.keys[key])[:120]}")
    for name in sorted(mine.tensors.keys() & other.tensors.keys()):
        if mine.tensors[name][:2] != other.tensors[name][:2]:
            found.append(f"tensor {name}: {mine.tensors[name][:2]} against {other.tensors[name][:2]}")
        elif mine.tensors[name][2] != other.tensors[name][2]:
            found.append(f"tensor {name}: other bytes")
    return found
