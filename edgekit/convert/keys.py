"""GGUF metadata as typed values, and how they stand in a file."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gguf import GGUFValueType

Item = bool | int | float | str

_FORMS = {
    GGUFValueType.UINT16: "<H",
    GGUFValueType.UINT32: "<I",
    GGUFValueType.INT32: "<i",
    GGUFValueType.FLOAT32: "<f",
    GGUFValueType.BOOL: "<?",
}


@dataclass(frozen=True)
class Value:
    """A value and its type; `items` are one value, or an array's."""

    type: GGUFValueType
    items: Sequence[Item]
    is_array: bool = False


Keys = Mapping[str, Value]


def u16(number: int) -> Value:
    """Return an unsigned 16-bit integer."""
    return Value(GGUFValueType.UINT16, (number,))


def u32(number: int) -> Value:
    """Return an unsigned 32-bit integer."""
    return Value(GGUFValueType.UINT32, (number,))


def i32(number: int) -> Value:
    """Return a signed 32-bit integer."""
    return Value(GGUFValueType.INT32, (number,))


def f32(number: float) -> Value:
    """Return a 32-bit float."""
    return Value(GGUFValueType.FLOAT32, (number,))


def boolean(flag: bool) -> Value:
    """Return a boolean."""
    return Value(GGUFValueType.BOOL, (flag,))


def text(string: str) -> Value:
    """Return a UTF-8 string."""
    return Value(GGUFValueType.STRING, (string,))


def array(type: GGUFValueType, items: Sequence[Item]) -> Value:
    """Return an array of values of one type."""
    return Value(type, items, is_array=True)


def encode(value: Value) -> bytes:
    """Return a value as it stands in a GGUF file: type, then data; an array has its item type and count between."""
    data = b"".join(map(encode_text, value.items)) if value.type == GGUFValueType.STRING else _pack(value)
    if value.is_array:
        return struct.pack("<IIQ", GGUFValueType.ARRAY, value.type, len(value.items)) + data
    return struct.pack("<I", value.type) + data


def _pack(value: Value) -> bytes:
    form = _FORMS[value.type]
    return struct.pack(f"<{len(value.items)}{form[1]}", *value.items)


def encode_text(string: Item) -> bytes:
    """Return a string as it stands in a GGUF file: its length in bytes, then UTF-8."""
    data = str(string).encode("utf-8")
    return struct.pack("<Q", len(data)) + data
