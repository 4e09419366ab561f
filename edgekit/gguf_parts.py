"""A model in several GGUF files, which llama.cpp reads as one: NAME-00001-of-00003.gguf and so on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gguf import Keys

from edgekit.errors import FileError
from edgekit.gguf_header import Header, read_header

# What a 16-bit number counts.
_MOST_PARTS = 65_535


def part_path(path: Path, number: int, count: int) -> Path:
    """Return where a part of NAME.gguf lies; the first one has the number 0."""
    return path.with_name(f"{path.stem}-{number + 1:05d}-of-{count:05d}.gguf")


def is_further_part(header: Header) -> bool:
    """Return whether a file is a part of a model, and not the first."""
    return bool(header.keys.get(Keys.Split.LLM_KV_SPLIT_NO))


def further_parts(first: Header) -> list[Path]:
    """Return where the other files of a model lie whose first file this is; none of a model in one file."""
    count = first.keys.get(Keys.Split.LLM_KV_SPLIT_COUNT, 1)
    return [_beside(first.path, number, count) for number in range(1, count)] if isinstance(count, int) else []


def read_parts(path: Path) -> Header:
    """Return the header of a model's first file, with the tensors and the size of all its files.

    A tensor's offset counts in the file that holds it. Raises FileError where a part is missing or not the first.
    """
    header = read_header(path)
    count, number = header.keys.get(Keys.Split.LLM_KV_SPLIT_COUNT, 1), header.keys.get(Keys.Split.LLM_KV_SPLIT_NO, 0)
    if count in (0, 1):
        return header
    if not isinstance(count, int) or not isinstance(number, int) or not 0 <= number < count <= _MOST_PARTS:
        raise FileError(f"{path} is damaged: it cannot be part {number} of {count}; download or convert it again")
    if number:
        raise FileError(f"{path} is part {number + 1} of {count}: name the first, which ends in -00001-of-{count:05d}")
    return _joined(header, [read_header(_beside(path, other, count)) for other in range(1, count)])


def _beside(path: Path, number: int, count: int) -> Path:
    whole, ending, rest = path.name.rpartition(f"-00001-of-{count:05d}.gguf")
    if not ending or rest:
        raise FileError(f"{path} is the first of {count} parts: rename it to end in -00001-of-{count:05d}.gguf")
    found = part_path(path.with_name(f"{whole}.gguf"), number, count)
    if not found.is_file():
        raise FileError(
            f"{path} is the first of {count} parts and {found.name} is missing: download or convert it again"
        )
    return found


def _joined(first: Header, others: list[Header]) -> Header:
    tensors = dict(first.tensors)
    for number, other in enumerate(others, start=1):
        if other.keys.get(Keys.Split.LLM_KV_SPLIT_NO) != number or tensors.keys() & other.tensors.keys():
            raise FileError(f"{other.path} is no part of {first.path.name}: download or convert both again")
        tensors |= other.tensors
    if len(tensors) != first.keys.get(Keys.Split.LLM_KV_SPLIT_TENSORS_COUNT, len(tensors)):
        raise FileError(
            f"{first.path} and its parts hold {len(tensors)} tensors, not as many as it says: convert it again"
        )
    return replace(first, tensors=tensors, bytes=first.bytes + sum(other.bytes for other in others))
