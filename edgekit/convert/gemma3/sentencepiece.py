"""SentencePiece models, read without their library: a list of pieces, each a text, a score and a type."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from gguf import TokenType

from edgekit.errors import FileError


class Piece(NamedTuple):
    """A token; types have the same numbers there as in GGUF."""

    text: str
    score: float
    type: int


# The fields of protobuf messages that matter here: sentencepiece_model.proto, ModelProto and SentencePiece.
_PIECES = 1
_TEXT, _SCORE, _TYPE = 1, 2, 3
# How a field is written.
_VARINT, _EIGHT_BYTES, _COUNTED, _FOUR_BYTES = 0, 1, 2, 5


def read_pieces(path: Path) -> list[Piece]:
    """Return the pieces in the order of their ids; raises FileError where the file is missing or damaged."""
    try:
        data = path.read_bytes()
    except OSError as problem:
        raise FileError(f"{path} cannot be read: copy it from the base model") from problem
    try:
        return [_piece(value) for field, value in _fields(data) if field == _PIECES and isinstance(value, bytes)]
    except (ValueError, IndexError, struct.error) as problem:
        raise FileError(f"{path} is cut short or damaged: copy it from the base model") from problem


def _piece(data: bytes) -> Piece:
    text, score, kind = b"", 0.0, int(TokenType.NORMAL)
    for field, value in _fields(data):
        if field == _TEXT and isinstance(value, bytes):
            text = value
        elif field == _SCORE and isinstance(value, bytes):
            score = struct.unpack("<f", value)[0]
        elif field == _TYPE and isinstance(value, int):
            kind = value
    if kind not in set(TokenType):
        raise ValueError(f"a piece of type {kind}")
    # A piece that a person defined is found in texts like any other.
    kind = TokenType.NORMAL if kind == TokenType.USER_DEFINED else kind
    return Piece(text.decode("utf-8"), score, int(kind))


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the fields of a protobuf message: their numbers, and whole numbers or bytes."""
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        kind = tag & 7
        if kind == _VARINT:
            number, place = _varint(data, place)
            yield tag >> 3, number
            continue
        if kind == _COUNTED:
            length, place = _varint(data, place)
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            length = 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError(f"a field of kind {kind}")
        if place + length > len(data):
            raise ValueError("a field that ends behind the message")
        yield tag >> 3, data[place : place + length]
        place += length


def _varint(data: bytes, place: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[place]
        place += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, place
        shift += 7
        if shift > 63:
            raise ValueError("a number of more than 64 bits")
