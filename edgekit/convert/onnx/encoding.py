"""Rows of float32 to what an initializer of a graph holds: floats, or blocks of 4 or 8 bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgekit.convert.onnx.precision import Bits
from edgekit.convert.safetensors import Floats

# Values that share a scale and a zero point, of onnx-community's files and of most kernels.
BLOCK = 32
_Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Layout:
    """One of the initializers that a tensor becomes: for each row so many values of a type."""

    ending: str
    dtype: npt.DTypeLike
    shape: tuple[int, ...]

    @property
    def row_bytes(self) -> int:
        """What a row takes."""
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class Encoding:
    """How rows are stored: with 32 or 16 bits as they are, with fewer in blocks along the row."""

    bits: Bits
    # Of the scales of blocks.
    half: bool = False
    # Whether blocks are a dimension of their own, as MatMulNBits wants them; GatherBlockQuantized does not.
    blocked: bool = True

    @property
    def is_quantized(self) -> bool:
        """Say whether there are blocks."""
        return self.bits < 16

    def layouts(self, shape: tuple[int, ...]) -> tuple[Layout, ...]:
        """Return what rows of a shape become, first the values, then where there are blocks scales and zero points."""
        if not self.is_quantized:
            return (Layout("", np.float16 if self.bits == 16 else np.float32, shape),)
        (width,) = shape
        blocks = -(-width // BLOCK)
        packed = BLOCK * self.bits // 8
        scale = np.float16 if self.half else np.float32
        return (
            Layout("_quant", np.uint8, (blocks, packed) if self.blocked else (blocks * packed,)),
            Layout("_scales", scale, (blocks,)),
            Layout("_zp", np.uint8, (-(-blocks * self.bits // 8),)),
        )

    def encode(self, rows: Floats) -> list[memoryview]:
        """Return the bytes of rows for each layout."""
        if not self.is_quantized:
            with np.errstate(over="ignore"):
                made = np.ascontiguousarray(rows, np.float16 if self.bits == 16 else np.float32)
            return [made.reshape(-1).view(np.uint8).data]
        values, scales, zeros = quantize(rows.reshape(len(rows), -1), self.bits, half=self.half)
        if self.bits == 4:
            values, zeros = _pairs(values), _pairs(zeros, 8)
        return [np.ascontiguousarray(part).reshape(-1).view(np.uint8).data for part in (values, scales, zeros)]


def quantize(rows: Floats, bits: Bits, *, half: bool) -> tuple[_Bytes, npt.NDArray[np.float16] | Floats, _Bytes]:
    """Return values of shape (rows, width padded to blocks), scales and zero points of shape (rows, blocks).

    A value stands for (value - zero point) * scale; a block reaches from its least value to its largest, and to 0.
    """
    height, width = rows.shape
    blocks = -(-width // BLOCK)
    padded = rows if width == blocks * BLOCK else np.pad(rows, ((0, 0), (0, blocks * BLOCK - width)))
    cut = padded.reshape(height, blocks, BLOCK)
    top = np.float32(2**bits - 1)
    low, high = np.minimum(cut.min(-1), 0), np.maximum(cut.max(-1), 0)
    scales = (high - low) / top
    scales[scales == 0] = 1
    stored = scales.astype(np.float16) if half else scales
    scales = stored.astype(np.float32)
    # Tiny blocks have no scale in float16.
    scales[scales == 0] = 1
    zeros = np.clip(np.rint(-low / scales), 0, top)
    values = np.clip(np.rint(cut / scales[..., None]) + zeros[..., None], 0, top)
    return values.astype(np.uint8).reshape(height, -1), stored, zeros.astype(np.uint8)


def _pairs(values: _Bytes, padding: int = 0) -> _Bytes:
    if values.shape[-1] % 2:
        values = np.pad(values, ((0, 0), (0, 1)), constant_values=padding)
    made: _Bytes = values[:, 0::2] | (values[:, 1::2] << np.uint8(4))
    return made
