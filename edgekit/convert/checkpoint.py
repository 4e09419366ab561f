"""A directory of safetensors as named, lazily read, row-sliceable tensors."""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.convert.json_text import parse
from edgekit.convert.safetensors import Entry, Floats, SafetensorsFile
from edgekit.errors import FileError

INDEX = "model.safetensors.index.json"


@dataclass(frozen=True)
class Weight:
    """A tensor of the checkpoint; nothing is read until rows are asked for."""

    name: str
    file: SafetensorsFile
    # What the file calls it, where it is another weight under a second name.
    stored: str | None = None
    # How many rows an adapter gives it, where those are more than it has: the new ones are zeros before that.
    grown: int | None = None

    @property
    def _entry(self) -> Entry:
        return self.file.entries[self.stored or self.name]

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape, rows first; empty for a scalar."""
        shape = self._entry.shape
        return shape if self.grown is None else (self.grown, *shape[1:])

    @property
    def begin(self) -> int:
        """Where it begins in the file."""
        return self._entry.begin

    @property
    def own_height(self) -> int:
        """How many rows the file has."""
        return self._entry.shape[0] if self._entry.shape else 1

    @property
    def dtype(self) -> str:
        """Its type as safetensors names it: BF16, F16 or F32."""
        return self._entry.dtype

    @property
    def bytes(self) -> int:
        """What it takes in the file."""
        return self._entry.bytes

    @property
    def bytes_written(self) -> int:
        """What it takes in a file once adapters have added rows to it."""
        return self.bytes if self.grown is None else self.bytes // max(1, self.own_height) * self.grown

    @property
    def height(self) -> int:
        """How many rows it has; a scalar has one."""
        return self.shape[0] if self.shape else 1

    @property
    def width(self) -> int:
        """How many values a row has."""
        return math.prod(self.shape[1:])

    def rows(self, start: int, stop: int) -> Floats:
        """Return rows as float32."""
        name, end = self.stored or self.name, self.own_height
        if self.grown is None or stop <= end:
            return self.file.rows(name, start, stop)
        found = self.file.rows(name, min(start, end), end)
        return np.concatenate([found, np.zeros((stop - start - len(found), *self.shape[1:]), np.float32)])


class Checkpoint:
    """A model in Hugging Face layout: config.json, tokenizer and safetensors, in one file or in shards.

    Raises FileError where the directory holds no such model, or a damaged one.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        # Where its tokenizer is; an adapter that adds tokens brings another.
        self.tokenizer_directory = directory
        self._open_files = ExitStack()
        try:
            self.config = self._config()
            # In the order of files and of bytes in them: one pass reads forward.
            self.weights = self._weights()
        except BaseException:
            self._open_files.close()
            raise

    def __enter__(self) -> Checkpoint:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._open_files.close()

    @property
    def bytes(self) -> int:
        """What all tensors take together."""
        return sum(weight.bytes for weight in self.weights.values())

    def check_unchanged(self) -> None:
        """Raise FileError where another program has written to the weights since they were opened."""
        for file in dict.fromkeys(weight.file for weight in self.weights.values()):
            file.check_unchanged()

    def _config(self) -> dict[str, Any]:
        if not self.directory.exists():
            raise FileError(f"{self.directory} does not exist: name the folder of a checkpoint")
        if not self.directory.is_dir():
            raise FileError(f"{self.directory} is a file: name the folder that holds config.json and the safetensors")
        return read_json(self.directory / "config.json", "name the folder of a Hugging Face checkpoint")

    def _weights(self) -> dict[str, Weight]:
        names = self._file_names()
        expected = set(self._weight_map()) if (self.directory / INDEX).is_file() else None
        weights: dict[str, Weight] = {}
        for file_name in names:
            file = self._open_files.enter_context(SafetensorsFile(self.directory / file_name))
            for name, _ in sorted(file.entries.items(), key=lambda item: item[1].begin):
                if name in weights:
                    raise FileError(
                        f"{file.path} and {weights[name].file.path.name} both hold {name}: keep one of them"
                    )
                weights[name] = Weight(name, file)
        if expected is not None and expected != set(weights):
            name = sorted(expected ^ set(weights))[0]
            raise FileError(f"{self.directory / INDEX} and the shards disagree about {name}: download them again")
        return weights

    def _file_names(self) -> list[str]:
        if (self.directory / INDEX).is_file():
            return sorted(set(self._weight_map().values()))
        names = sorted(path.name for path in self.directory.glob("model*.safetensors"))
        if names:
            return names
        if any(self.directory.glob("pytorch_model*.bin")) or any(self.directory.glob("*.pth")):
            raise FileError(
                f"{self.directory} holds a pickle checkpoint, which can run code when it is read: save it again "
                "with save_pretrained(..., safe_serialization=True) and convert that"
            )
        if (self.directory / "adapter_config.json").is_file():
            raise FileError(f"{self.directory} is an adapter: convert its base model with --adapter {self.directory}")
        raise FileError(f"{self.directory} holds no model*.safetensors: download the whole checkpoint")

    def _weight_map(self) -> dict[str, str]:
        path = self.directory / INDEX
        found = read_json(path, "download it again").get("weight_map")
        if not isinstance(found, dict) or not found or not all(_is_file_name(name) for name in found.values()):
            raise FileError(f"{path} lists no shards: download it again")
        return found


def _is_file_name(name: object) -> bool:
    # An index must not lead out of its folder.
    return isinstance(name, str) and name == Path(name).name and name.endswith(".safetensors")


def read_json(path: Path, advice: str) -> dict[str, Any]:
    """Read a JSON object; raises FileError with `advice` where there is none."""
    try:
        found = parse(path.read_bytes())
    except FileNotFoundError as problem:
        raise FileError(f"{path.parent} holds no {path.name}: {advice}") from problem
    except OSError as problem:
        raise FileError(f"{path} cannot be read: {problem.strerror}") from problem
    except (ValueError, RecursionError) as problem:
        raise FileError(f"{path} is no JSON: {advice}") from problem
    if not isinstance(found, dict):
        raise FileError(f"{path} holds no JSON object: {advice}")
    return found
