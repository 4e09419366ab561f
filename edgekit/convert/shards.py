"""A GGUF file in parts, named and keyed as llama.cpp's converter does with --split-max-size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gguf import Keys

from edgekit.convert import keys
from edgekit.convert.gguf_file import GGUFWriter, TensorInfo, file_size, header
from edgekit.convert.whole_file import WholeFile
from edgekit.errors import UnsupportedError
from edgekit.gguf_parts import part_path

# All are open while they are written, and a process may open a thousand files on most systems.
_MOST = 200


@dataclass(frozen=True)
class Shard:
    """A file that holds a model or a part of one."""

    path: Path
    header: bytes
    tensors: tuple[TensorInfo, ...]

    @property
    def bytes(self) -> int:
        """How large the file becomes."""
        return file_size(len(self.header), self.tensors)


def shards(path: Path, metadata: keys.Keys, tensors: Sequence[TensorInfo], limit: int | None) -> tuple[Shard, ...]:
    """Divide a file into parts with at most `limit` bytes of tensors each, or a single larger tensor.

    The first one has all metadata. What fits into one part is one file under its own name.
    """
    parts = _divided(tensors, limit) if limit else [list(tensors)]
    if len(parts) > _MOST:
        raise UnsupportedError(f"--split-size would make {len(parts)} files of {path.name}: choose a larger one")
    if len(parts) == 1:
        return (Shard(path, header(metadata, tensors), tuple(tensors)),)
    made = []
    for number, part in enumerate(parts):
        about = {
            **(metadata if number == 0 else {}),
            Keys.Split.LLM_KV_SPLIT_NO: keys.u16(number),
            Keys.Split.LLM_KV_SPLIT_COUNT: keys.u16(len(parts)),
            Keys.Split.LLM_KV_SPLIT_TENSORS_COUNT: keys.i32(len(tensors)),
        }
        made.append(Shard(part_path(path, number, len(parts)), header(about, part), tuple(part)))
    return tuple(made)


def _divided(tensors: Sequence[TensorInfo], limit: int) -> list[list[TensorInfo]]:
    """As gguf-py's GGUFWriter.add_tensor_info: padding does not count."""
    parts: list[list[TensorInfo]] = [[]]
    size = 0
    for tensor in tensors:
        if parts[-1] and size + tensor.bytes > limit:
            parts.append([])
            size = 0
        parts[-1].append(tensor)
        size += tensor.bytes
    return parts


class ShardWriter:
    """Writes each tensor into the part that has it."""

    def __init__(self, found: Sequence[Shard], files: Mapping[Path, WholeFile]) -> None:
        self._writers = {shard.path: GGUFWriter(files[shard.path], shard.header, shard.tensors) for shard in found}
        self._places = {tensor.name: self._writers[shard.path] for shard in found for tensor in shard.tensors}

    def write(self, name: str, data: bytes | memoryview) -> None:
        """Append bytes of a tensor; tensors come in order, each in pieces of any size."""
        self._places[name].write(name, data)

    def finish(self) -> dict[Path, str]:
        """Check that every tensor was written whole and return the parts' SHA-256."""
        return {path: writer.finish() for path, writer in self._writers.items()}
