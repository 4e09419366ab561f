"""The keys and values of what a decoder has read, in buffers that its runs write into."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgekit.engine.onnx.runtime import Graph
from edgekit.errors import FileError

_PAST, _PRESENT = "past_key_values.", "present."
_SMALLEST = 256


class KeyValues:
    """A pair of arrays of shape (1, heads, capacity, head length) for each layer with a cache of its own.

    The same buffer is past and present: com.microsoft's GroupQueryAttention then writes only what is new, and
    forgetting is no more than counting from an earlier place. The capacity grows with the conversation.
    """

    def __init__(self, decoder: Graph, longest: int) -> None:
        names = [name for name in decoder.inputs if name.startswith(_PAST)]
        if not names:
            raise FileError(f"{decoder.path} has no {_PAST}*: it is not in the layout of onnx-community")
        decoder.need(set(), {_present(name) for name in names})
        self._decoder, self._longest = decoder, longest
        self._buffers = {name: self._empty(name) for name in names}
        self.capacity = 0

    @property
    def bytes(self) -> int:
        """Return what it takes in memory now."""
        return sum(buffer.nbytes for buffer in self._buffers.values())

    def reserve(self, length: int, used: int) -> None:
        """Make room for `length` tokens, keeping the first `used`."""
        if length <= self.capacity:
            return
        self.capacity = min(max(length, 2 * self.capacity, _SMALLEST), self._longest)
        for name, old in self._buffers.items():
            _, heads, _, width = old.shape
            new = np.zeros((1, heads, self.capacity, width), old.dtype)
            new[:, :, :used] = old[:, :, :used]
            self._buffers[name] = new

    def bind(self, binding: Any) -> None:  # noqa: ANN401 - onnxruntime's native part has no types
        """Make the buffers both past and present of a run."""
        for name, buffer in self._buffers.items():
            place = ("cpu", 0, buffer.dtype, buffer.shape, buffer.ctypes.data)
            binding.bind_input(name, *place)
            binding.bind_output(_present(name), *place)

    def _empty(self, name: str) -> np.ndarray[Any, Any]:
        shape = self._decoder.inputs[name].shape
        if len(shape) != 4 or not all(isinstance(shape[axis], int) for axis in (1, 3)):
            raise FileError(f"{self._decoder.path} does not say how many heads {name} has, and how long they are")
        return np.zeros((1, shape[1], 0, shape[3]), self._decoder.dtype(name))


def _present(name: str) -> str:
    return _PRESENT + name.removeprefix(_PAST)
