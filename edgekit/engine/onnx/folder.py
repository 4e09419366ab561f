"""What lies in a folder of ONNX files, in the layout of onnx-community: checked by reading, nothing loaded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from edgekit.errors import FileError, UnsupportedError

# transformers.js' endings of file names.
SUFFIXES = {"fp32": "", "fp16": "_fp16", "int8": "_int8", "q8": "_quantized", "q4": "_q4", "q4f16": "_q4f16"}
Part = Literal["embed_tokens", "decoder_model_merged", "vision_encoder", "audio_encoder"]
PARTS: tuple[Part, ...] = ("embed_tokens", "decoder_model_merged", "vision_encoder", "audio_encoder")
TEXT_PARTS: tuple[Part, ...] = PARTS[:2]
_JSON_LIMIT = 64 << 20


@dataclass(frozen=True)
class OnnxFolder:
    """A folder with config.json, tokenizer.json and onnx/; `precisions` are those that it holds in whole."""

    path: Path
    config: dict[str, Any]
    precisions: tuple[str, ...]

    @cached_property
    def text_config(self) -> dict[str, Any]:
        """Return the settings of the text model."""
        text = self.config.get("text_config", self.config)
        return text if isinstance(text, dict) else {}

    @property
    def trained_context(self) -> int:
        """Return how many tokens the model was trained to keep in mind; 0 where the config does not say."""
        length = self.text_config.get("max_position_embeddings")
        return length if isinstance(length, int) else 0

    def find(self, part: Part, precision: str = "fp32") -> Path | None:
        """Return the file of a part; of an encoder another precision where the wanted one is not there."""
        wanted = [precision] if part in TEXT_PARTS else [precision, *SUFFIXES]
        files = (self.path / "onnx" / f"{part}{SUFFIXES[one]}.onnx" for one in wanted)
        return next(filter(Path.is_file, files), None)

    def part_files(self, part: Part, precision: str) -> tuple[Path, ...]:
        """Return the graph of a part with the files of weights beside it; none where the part is not there."""
        graph = self.find(part, precision)
        return (graph, *weight_files(graph)) if graph else ()

    def bytes(self, precision: str) -> int:
        """Return how much a precision takes on disk, all parts together."""
        return sum(file.stat().st_size for part in PARTS for file in self.part_files(part, precision))

    @property
    def vocabulary_size(self) -> int:
        """Return how many tokens the text model knows; 0 where the config does not say."""
        size = self.text_config.get("vocab_size")
        return size if type(size) is int and size > 0 else 0

    def json(self, name: str) -> dict[str, Any]:
        """Return a JSON file of the folder; empty where there is none."""
        path = self.path / name
        return read_json(path) if path.is_file() else {}


def weight_files(graph: Path) -> list[Path]:
    """Return the files of weights beside a graph."""
    return sorted(graph.parent.glob(f"{graph.name}_data*"))


def is_onnx_folder(path: Path) -> bool:
    """Return whether a path looks like a folder of ONNX files."""
    return path.is_dir() and any((path / "onnx").glob("*.onnx"))


def check_folder(path: Path) -> OnnxFolder:
    """Return what a folder holds; FileError where something is missing, UnsupportedError where it is no Gemma 4."""
    for name in ("config.json", "tokenizer.json"):
        if not (path / name).is_file():
            raise FileError(f"{path} has onnx/ but no {name}: copy it from the checkpoint, or convert it again")
    config = read_json(path / "config.json")
    kind = config.get("model_type")
    if not isinstance(kind, str) or not kind.startswith("gemma4"):
        raise UnsupportedError(f"{path} is a model of kind {kind!r}: edgekit runs Gemma 4 from ONNX")
    folder = OnnxFolder(path, config, ())
    whole = tuple(name for name in SUFFIXES if all(folder.find(part, name) for part in TEXT_PARTS))
    if not whole:
        wanted = " and ".join(f"{part}.onnx" for part in TEXT_PARTS)
        raise FileError(f"{path / 'onnx'} holds no text model: it takes {wanted} of one precision")
    return OnnxFolder(path, config, whole)


def check_precision(folder: OnnxFolder, precision: str) -> str:
    """Return a precision as it is spelled here; FileError with those that there are."""
    if precision.lower() not in folder.precisions:
        raise FileError(f"{folder.path} has no {precision}: it has {', '.join(folder.precisions)}")
    return precision.lower()


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; FileError where it is none."""
    try:
        if path.stat().st_size > _JSON_LIMIT:
            raise FileError(f"{path} is too large to be a model's {path.name}")
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as problem:
        raise FileError(f"cannot read {path}: {' '.join(str(problem).split())}") from None
    if not isinstance(found, dict):
        raise FileError(f"{path} is damaged: it holds no JSON object")
    return found
