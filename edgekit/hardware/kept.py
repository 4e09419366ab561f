"""Measurements of this machine that are not worth repeating: small JSON files in the cache."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from edgekit import paths
from edgekit.hardware.machine import Memory, Processor


def machine_key(processor: Processor, memory: Memory) -> str:
    """Return what a measurement belongs to: a home may be shared by several machines."""
    return f"{processor.model}, {processor.usable_threads} threads, {memory.total} bytes"


def is_busy() -> bool:
    """Return whether others compute here, so that a measurement would not be worth keeping."""
    # Windows has no load average.
    return hasattr(os, "getloadavg") and os.getloadavg()[0] > (os.cpu_count() or 1) / 2


def recall(name: str, key: str) -> Any:  # noqa: ANN401 - JSON
    """Return what is kept under a key, None where there is nothing."""
    return _read(_file(name)).get(key)


def keep(name: str, key: str, value: object) -> None:
    """Keep a value beside those of other keys; a home that cannot be written only means measuring again."""
    file = _file(name)
    try:
        write_whole(file, json.dumps(_read(file) | {key: value}, indent=1))
    except OSError:
        return


def write_whole(file: Path, text: str) -> None:
    """Write a file so that a reader finds the old text or the new one, never a part; OSError where it cannot."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_suffix(f".{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)


def _read(file: Path) -> dict[str, Any]:
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _file(name: str) -> Path:
    return paths.cache_directory() / f"{name}.json"
