"""Write a GGUF anew with other keys or tensor types, as somebody would who means harm."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFValueType

from edgekit.gguf_header import Array, Scalar, TensorPlace, read_header

_ALIGNMENT = 32


def text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(data)) + data


def value(kind: GGUFValueType, payload: bytes) -> bytes:
    return struct.pack("<I", kind) + payload


def number(given: int) -> bytes:
    return value(GGUFValueType.UINT32, struct.pack("<I", given))


def string(given: str | bytes) -> bytes:
    return value(GGUFValueType.STRING, text(given))


def strings(given: Sequence[str | bytes]) -> bytes:
    return array(GGUFValueType.STRING, len(given), b"".join(map(text, given)))


def array(item: GGUFValueType, count: int, payload: bytes) -> bytes:
    return value(GGUFValueType.ARRAY, struct.pack("<IQ", item, count) + payload)


def rewrite(
    source: Path,
    out: Path,
    keys: Mapping[str, bytes | None] | None = None,
    types: Mapping[str, GGMLQuantizationType] | None = None,
) -> Path:
    """Copy a file with some keys replaced, added or (None) left out, and tensors of other types, full of zeros."""
    header = read_header(source)
    records = {name: _encoded(found) for name, found in header.keys.items()} | dict(keys or {})
    kept = {name: record for name, record in records.items() if record is not None}
    places = [_retyped(place, (types or {}).get(place.name)) for place in header.tensors.values()]
    made = bytearray(struct.pack("<4sIQQ", b"GGUF", header.version, len(places), len(kept)))
    for name, record in kept.items():
        made += text(name) + record
    offset = 0
    for place in places:
        made += text(place.name) + struct.pack("<I", len(place.shape))
        made += b"".join(struct.pack("<Q", extent) for extent in reversed(place.shape))
        made += struct.pack("<IQ", place.type, offset)
        offset += _padded(place.bytes)
    made += bytes(_padded(len(made)) - len(made))
    data = source.read_bytes()
    for old, new in zip(header.tensors.values(), places, strict=True):
        content = data[old.offset : old.offset + old.bytes] if old.type == new.type else bytes(new.bytes)
        made += content + bytes(_padded(len(content)) - len(content))
    out.write_bytes(made)
    return out


def _padded(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _encoded(found: Scalar | Array) -> bytes:
    if isinstance(found, Array):
        with found.path.open("rb") as file:
            file.seek(found.offset)
            return array(found.item, found.count, file.read(found.bytes))
    if isinstance(found, bool):
        return value(GGUFValueType.BOOL, struct.pack("<?", found))
    if isinstance(found, int):
        return number(found)
    if isinstance(found, float):
        return value(GGUFValueType.FLOAT32, struct.pack("<f", found))
    return string(found)


def _retyped(place: TensorPlace, kind: GGMLQuantizationType | None) -> TensorPlace:
    if kind is None:
        return place
    block, size = GGML_QUANT_SIZES[kind]
    count = 1
    for extent in place.shape:
        count *= extent
    return replace(place, type=kind, bytes=count // block * size)
