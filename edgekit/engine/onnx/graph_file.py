"""A graph's file and the weights that lie beside it: whether they are whole, by reading the graph alone."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

from edgekit.errors import FileError

# Numbers of fields, as onnx.proto3 has them.
_MODEL_GRAPH, _MODEL_OPSET = 7, 8
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_OUTPUT = 1, 5, 12
_NODE_ATTRIBUTE = 5
_ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH, _ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS = 5, 6, 10, 11
_TENSOR_EXTERNAL = 13
_KEY, _VALUE = 1, 2
# Kinds of fields in protocol buffers.
_NUMBER, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5
_LONGEST_NUMBER = 10


def check_graph(path: Path) -> None:
    """Check that a graph parses and that the weights beside it are as long as it says.

    Raises FileError where they are not, or cannot be read.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            needed = _needed(data)
    except OSError as problem:
        raise FileError(f"{path} cannot be read: {problem.strerror}") from None
    except (ValueError, IndexError, KeyError, RecursionError):
        raise FileError(f"{path} is cut short or damaged: it is no ONNX graph; convert or download it again") from None
    for name, end in needed.items():
        weights = path.parent / name
        if not weights.is_file():
            raise FileError(f"{weights} is not there, which has weights of {path.name}: convert or download it again")
        size = weights.stat().st_size
        if size < end:
            raise FileError(f"{weights} is cut short: it has {size} of {end} bytes; convert or download it again")


def _needed(data: mmap.mmap) -> dict[str, int]:
    """Return the names of files of weights and how long each must be; ValueError and others for no graph."""
    model = list(_fields(data, 0, len(data)))
    graphs = [value for number, value in model if number == _MODEL_GRAPH]
    # Outputs and operator sets stand behind all else: without them the end is missing.
    if len(graphs) != 1 or _MODEL_OPSET not in dict(model) or _GRAPH_OUTPUT not in dict(_fields(data, *graphs[0])):
        raise ValueError
    found: dict[str, int] = {}
    for tensor in _tensors(data, graphs[0]):
        entries = [
            dict(_fields(data, *value)) for number, value in _fields(data, *tensor) if number == _TENSOR_EXTERNAL
        ]
        if entries:
            said = {_text(data, entry[_KEY]): _text(data, entry[_VALUE]) for entry in entries}
            name = _checked(said["location"])
            found[name] = max(int(said.get("offset", 0)) + int(said.get("length", 0)), found.get(name, 0))
    return found


def _checked(location: str) -> str:
    """Return a path inside the graph's folder."""
    path = Path(location)
    if path.is_absolute() or ".." in path.parts or not location.isprintable():
        raise ValueError
    return location


def _tensors(data: mmap.mmap, graph: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Yield where the tensors of a graph and of the graphs inside stand."""
    for number, value in _fields(data, *graph):
        if number == _GRAPH_INITIALIZER:
            yield value
        elif number == _GRAPH_NODE:
            for inside, attribute in _fields(data, *value):
                if inside == _NODE_ATTRIBUTE:
                    yield from _of_attribute(data, attribute)


def _of_attribute(data: mmap.mmap, attribute: tuple[int, int]) -> Iterator[tuple[int, int]]:
    for number, value in _fields(data, *attribute):
        if number in (_ATTRIBUTE_TENSOR, _ATTRIBUTE_TENSORS):
            yield value
        elif number in (_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS):
            yield from _tensors(data, value)


def _fields(data: mmap.mmap, begin: int, end: int) -> Iterator[tuple[int, tuple[int, int]]]:
    """Yield the number of each field of a message and where its value begins and ends."""
    while begin < end:
        key, begin = _number(data, begin)
        kind, stop = key & 7, begin
        if kind == _NUMBER:
            _, stop = _number(data, begin)
        elif kind == _BYTES:
            length, begin = _number(data, begin)
            stop = begin + length
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            stop = begin + (8 if kind == _EIGHT_BYTES else 4)
        if not key >> 3 or not begin <= stop <= end or kind not in (_NUMBER, _BYTES, _EIGHT_BYTES, _FOUR_BYTES):
            raise ValueError
        yield key >> 3, (begin, stop)
        begin = stop


def _number(data: mmap.mmap, begin: int) -> tuple[int, int]:
    """Return a number of seven bits in each byte, and where it ends."""
    found = 0
    for place in range(_LONGEST_NUMBER):
        byte = data[begin + place]
        found |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return found, begin + place + 1
    raise ValueError


def _text(data: mmap.mmap, value: tuple[int, int]) -> str:
    return data[slice(*value)].decode("utf-8")
