"""Which type llama-quantize gives a tensor, and how many bytes a type takes (src/llama-quant.cpp)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgekit.catalog.tensors import Tensor

# Type: values in a block, bytes of a block.
BLOCKS = {
    "F32": (1, 4),
    "F16": (1, 2),
    "BF16": (1, 2),
    "Q8_0": (32, 34),
    "Q5_1": (32, 24),
    "Q5_0": (32, 22),
    "Q4_1": (32, 20),
    "Q4_0": (32, 18),
    "IQ4_NL": (32, 18),
    "Q6_K": (256, 210),
    "Q5_K": (256, 176),
    "Q4_K": (256, 144),
    "Q3_K": (256, 110),
}

# Mixture: the type of a tensor that no rule singles out.
BASE_TYPES = {
    "BF16": "BF16",
    "F16": "F16",
    "Q8_0": "Q8_0",
    "Q6_K": "Q6_K",
    "Q5_K_M": "Q5_K",
    "Q5_K_S": "Q5_K",
    "Q4_K_M": "Q4_K",
    "Q4_K_S": "Q4_K",
    "Q4_0": "Q4_0",
    "Q3_K_M": "Q3_K",
}

# Rows that blocks of 256 do not divide get a type of 32-value blocks instead.
_NARROW = {"Q3_K": "Q4_0", "Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"}
_EMBEDDINGS = ("token_embd", "per_layer_token_embd")


def row_bytes(kind: str, count: int) -> int:
    """Return the bytes of a row of `count` values."""
    values, size = BLOCKS[kind]
    return count // values * size


def tensor_bytes(kind: str, tensor: Tensor) -> int:
    """Return the bytes of a tensor stored as `kind`."""
    return row_bytes(kind, tensor.count)


def with_types(tensors: Sequence[Tensor], quantization: str) -> Iterator[tuple[Tensor, str]]:
    """Yield every tensor with the type that llama-quantize would store it in."""
    layers = 1 + max(tensor.layer or 0 for tensor in tensors)
    values = [tensor.layer for tensor in tensors if tensor.role == "attn_v"]
    for tensor in tensors:
        if not _is_quantizable(tensor):
            # llama.cpp's converter writes these as F32; the projection of the per-layer embeddings keeps BF16.
            yield tensor, ("BF16" if tensor.role == "per_layer_model_proj" else "F32")
            continue
        index = values.index(tensor.layer) if tensor.role == "attn_v" else tensor.layer or 0
        total = len(values) if tensor.role == "attn_v" else layers
        kind = _mixture(quantization, tensor.role, index, total)
        yield tensor, (kind if tensor.extents[0] % BLOCKS[kind][0] == 0 else _NARROW[kind])


def _is_quantizable(tensor: Tensor) -> bool:
    return len(tensor.extents) > 1 and tensor.role not in ("ffn_gate_inp", "per_layer_model_proj")


def _mixture(quantization: str, role: str, index: int, total: int) -> str:
    base = BASE_TYPES[quantization]
    if base in ("BF16", "F16", "Q8_0"):
        return base
    if role in _EMBEDDINGS:
        # The token embeddings are the output matrix too, and the per-layer ones follow them.
        return "Q6_K"
    if role == "attn_v":
        return _values(quantization, base, index, total)
    if role.startswith("ffn_down"):
        return _down(quantization, base, index, total)
    return "Q4_K" if quantization == "Q3_K_M" and role == "attn_output" else base


def _values(quantization: str, base: str, index: int, total: int) -> str:
    if quantization == "Q3_K_M":
        return "Q5_K" if index < 2 else "Q4_K"
    if quantization == "Q4_K_S" and index < 4:
        return "Q5_K"
    return "Q6_K" if quantization in ("Q4_K_M", "Q5_K_M") and _takes_more_bits(index, total) else base


def _down(quantization: str, base: str, index: int, total: int) -> str:
    if quantization == "Q3_K_M":
        return "Q5_K" if index < total // 16 else "Q4_K"
    if quantization == "Q4_K_S" and index < total // 8:
        return "Q5_K"
    return "Q6_K" if quantization in ("Q4_K_M", "Q5_K_M") and _takes_more_bits(index, total) else base


def _takes_more_bits(index: int, total: int) -> bool:
    return index < total // 8 or index >= 7 * total // 8 or (index - total // 8) % 3 == 2
