"""What a checkpoint has beside its weights, as it goes with the merged one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from edgekit.convert.checkpoint import INDEX, Checkpoint, read_json
from edgekit.errors import FileError

CONFIG = "config.json"
_PATTERNS = ("*.json", "*.jinja", "*.model", "*.txt", "README.md", "LICENSE*", "NOTICE*")
# A base model that was saved with an adapter must not carry it along: transformers would apply it a second time.
_NOT_COPIED = ("adapter_config.json",)
_TEMPLATES = "additional_chat_templates"
# What an adapter that adds tokens brings in place of the base's.
_OF_TOKENIZER = ("tokenizer*", "special_tokens_map.json", "added_tokens.json", "chat_template.*")


@dataclass(frozen=True)
class Companion:
    """A file to be written: another one as it is, or new text."""

    source: Path
    text: str | None = None

    @cached_property
    def size(self) -> int:
        """How large it is when that is first asked for."""
        return self.source.stat().st_size if self.text is None else len(self.text.encode("utf-8"))

    def read(self) -> bytes:
        """Return what it holds; raises FileError where it is gone, or is not as large as it was."""
        if self.text is not None:
            return self.text.encode("utf-8")
        try:
            data = self.source.read_bytes()
        except OSError as problem:
            raise FileError(f"{self.source} cannot be read any more: {problem.strerror}") from problem
        if len(data) != self.size:
            raise FileError(f"{self.source} changed while it was read: convert it again when it is at rest")
        return data


def companions(checkpoint: Checkpoint) -> dict[str, Companion]:
    """Return the files by their names relative to the checkpoint's folder, config.json last."""
    folder = checkpoint.directory
    names = {path.name for pattern in _PATTERNS for path in folder.glob(pattern) if path.is_file()}
    templates = [f"{_TEMPLATES}/{path.name}" for path in (folder / _TEMPLATES).glob("*.jinja")]
    found = {name: Companion(folder / name) for name in [*sorted(templates), *sorted(names - {*_NOT_COPIED})]}
    if checkpoint.tokenizer_directory != folder:
        found |= {path.name: Companion(path) for path in _of_tokenizer(checkpoint.tokenizer_directory)}
    changed = {INDEX: _index(checkpoint), CONFIG: _config(checkpoint)}
    found |= {name: Companion(folder / name, _dump(values)) for name, values in changed.items() if values is not None}
    config = found.pop(CONFIG)
    return found | {CONFIG: config}


def _of_tokenizer(folder: Path) -> Iterator[Path]:
    for pattern in _OF_TOKENIZER:
        yield from (path for path in sorted(folder.glob(pattern)) if path.is_file())


def _config(checkpoint: Checkpoint) -> dict[str, Any] | None:
    """Return what config.json becomes, or None where it stays."""
    values = read_json(checkpoint.directory / CONFIG, "name the folder of a Hugging Face checkpoint")
    return None if values == checkpoint.config else checkpoint.config


def _index(checkpoint: Checkpoint) -> dict[str, Any] | None:
    """Return what the index of shards becomes, or None where it stays or there is none."""
    path, weights = checkpoint.directory / INDEX, checkpoint.weights
    if not path.is_file() or all(weight.stored is None and weight.grown is None for weight in weights.values()):
        return None
    values = read_json(path, "download it again")
    metadata = values.get("metadata")
    total = {"total_size": sum(weight.bytes_written for weight in weights.values())}
    return values | {
        "metadata": metadata | total if isinstance(metadata, dict) else total,
        "weight_map": {name: weight.file.path.name for name, weight in weights.items()},
    }


def _dump(values: dict[str, Any]) -> str:
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"
