"""The compute graphs of Gemma 4's encoders by the sizes of their tensors (llama.cpp's tools/mtmd, gemma4v and gemma4a).

In place operations and views are left out, as in graph.py.
"""

from __future__ import annotations

from itertools import pairwise

from edgekit.catalog.variant import Tower
from edgekit.fit.allocator import Graph, Tensor

_FLOAT = 4
_HALF = 2
_NUMBER = 4
_COLOURS = 3
# Values of one colour in a patch of 16 x 16, and in one of 48 x 48 for a projector without an encoder.
_PATCH, _LARGE_PATCH = 16 * 16, 48 * 48
# Sound: mel bins, frames of a soft token, channels and kernel of the two convolutions, each halving both sides.
_BINS = 128
_FRAMES = 4
_CHANNELS = (1, 128, 32)
_KERNEL = 9
# Soft tokens that attend to each other and to as many before them.
_CHUNK = 12
# Samples of a soft token for a projector without an encoder.
_SAMPLES = 640


class VisionGraph(Graph):
    """The graph of one picture of so many soft tokens."""

    def __init__(self, tower: Tower, tokens: int, *, flash_attention: bool = True) -> None:
        super().__init__()
        self._tower, self._flash = tower, flash_attention
        self._patches = tokens * tower.patches_per_token
        self._size = _FLOAT * self._patches * tower.hidden_size
        if not tower.intermediate_size:
            self._large_patches()
            return
        pixels = self.input(_FLOAT * _COLOURS * _PATCH * self._patches)
        self._columns, self._rows = (self.input(_NUMBER * self._patches) for _ in range(2))
        columns = self.node(_HALF * _COLOURS * _PATCH * self._patches, pixels)
        stream = self._hidden(self._hidden(self._hidden(columns)))
        for place in (self._columns, self._rows):
            stream = self._hidden(stream, self._hidden(place), in_place=True)
        # Every layer is like the others: the second one starts where the others do.
        for _ in range(2):
            stream = self._layer(stream)
        pooled = self.node(self._size // tower.patches_per_token, self._hidden(stream))
        self.node(pooled.size, pooled)

    def _hidden(self, *sources: Tensor, in_place: bool = False) -> Tensor:
        return self.node(self._size, *sources, in_place=in_place)

    def _clipped(self, tensor: Tensor, *, is_view: bool = False) -> Tensor:
        """Bound a tensor's values; a view's place is never reused."""
        return self.node(tensor.size, tensor, in_place=not is_view) if self._tower.clipped else tensor

    def _heads(self, normed: Tensor, *, rotated: bool) -> Tensor:
        places = (self._columns, self._rows) if rotated else ()
        return self._hidden(self._hidden(self._clipped(normed)), *places)

    def _layer(self, stream: Tensor) -> Tensor:
        normed = self._hidden(stream, in_place=True)
        queries, keys = (self._heads(normed, rotated=True) for _ in range(2))
        attended = self._attend(queries, keys, self._heads(normed, rotated=False))
        stream = self._hidden(self._hidden(attended), stream, in_place=True)
        width = _FLOAT * self._patches * self._tower.intermediate_size
        normed = self._hidden(stream, in_place=True)
        gate, up = (self.node(width, self._clipped(normed)) for _ in range(2))
        down = self._hidden(self._clipped(self.node(width, gate, up)))
        return self._hidden(stream, down, in_place=True)

    def _attend(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        if self._flash:
            halves = [self.node(self._size // 2, one) for one in (keys, values)]
            return self._clipped(self._hidden(queries, *halves), is_view=True)
        values = self._hidden(values)
        scores = self.node(_FLOAT * self._tower.num_attention_heads * self._patches**2, keys, queries)
        return self._clipped(self._hidden(self._hidden(values, scores)))

    def _large_patches(self) -> None:
        size = _FLOAT * _COLOURS * _LARGE_PATCH * self._patches
        # The shape of a patch stands in the graph as a tensor of its own.
        self.input(_FLOAT * _COLOURS * _LARGE_PATCH)
        pixels = self.input(size)
        places = [self.input(_NUMBER * self._patches) for _ in range(2)]
        stream = self._hidden(self._hidden(self.node(size, self.node(size, pixels))))
        for place in places:
            stream = self._hidden(stream, self._hidden(place), in_place=True)
        self._hidden(self._hidden(stream))


class AudioGraph(Graph):
    """The graph of one clip of so many soft tokens."""

    def __init__(self, tower: Tower, tokens: int) -> None:
        super().__init__()
        if not tower.intermediate_size:
            samples = self.node(_FLOAT * _SAMPLES * tokens, self.input(_FLOAT * _SAMPLES * tokens))
            self.node(_FLOAT * tower.hidden_size * tokens, samples)
            return
        bins, frames = _BINS, _FRAMES * tokens
        spectrum = self.input(_FLOAT * bins * frames)
        # Embeddings of the distances within a chunk, and the mask of its attention.
        self.input(_FLOAT * tower.hidden_size * (_CHUNK + 1))
        self.input(_FLOAT * 2 * _CHUNK * _CHUNK * -(-tokens // _CHUNK))
        stream = self.node(_FLOAT * bins * frames, spectrum)
        for inner, outer in pairwise(_CHANNELS):
            bins, frames = bins // 2, frames // 2
            columns = self.node(_HALF * _KERNEL * inner * bins * frames, stream)
            # The product, turned twice, normed, and turned back.
            stream = columns
            for _ in range(5):
                stream = self.node(_FLOAT * outer * bins * frames, stream)
        stream = self.node(_FLOAT * tower.hidden_size * tokens, self.node(stream.size, stream))
        for _ in range(2):
            stream = self._half_step(tower, tokens, stream)

    def _half_step(self, tower: Tower, tokens: int, stream: Tensor) -> Tensor:
        size = _FLOAT * tower.hidden_size * tokens
        normed = self.node(size, stream, in_place=True)
        inner = self.node(_FLOAT * tower.intermediate_size * tokens, normed)
        return self.node(size, stream, self.node(size, inner), in_place=True)
