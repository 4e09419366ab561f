"""The tensors of an MTP assistant in GGUF, and their bytes (llama.cpp's src/models/gemma4-assistant.cpp)."""

from __future__ import annotations

from collections.abc import Iterator

from edgekit.catalog.quantization import row_bytes
from edgekit.catalog.variant import Drafter, Shape

_FLOAT = 4


def drafter_bytes(drafter: Drafter, shape: Shape, kind: str) -> int:
    """Return the bytes of a drafter for a model of this shape, every matrix stored as `kind`, metadata not counted."""
    sizes = (
        row_bytes(kind, extents[0] * extents[1]) if len(extents) > 1 else _FLOAT * extents[0]
        for _, extents in drafter_tensors(drafter, shape)
    )
    return sum(sizes)


def drafter_tensors(drafter: Drafter, shape: Shape) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield names and extents, the row length first; one-dimensional tensors are F32 or as wide."""
    hidden, inner, backbone = drafter.hidden_size, drafter.intermediate_size, shape.hidden_size
    yield "token_embd.weight", (hidden, shape.vocab_size)
    yield "output_norm.weight", (hidden,)
    yield "rope_freqs.weight", (shape.global_head_dim // 2,)
    yield "nextn.pre_projection.weight", (2 * backbone, hidden)
    yield "nextn.post_projection.weight", (hidden, backbone)
    if drafter.num_centroids:
        yield "mask_embd.centroids.weight", (hidden, drafter.num_centroids)
        # For each token its place among the clusters.
        yield "mask_embd.ordering", (shape.vocab_size,)
    for layer in range(drafter.num_hidden_layers):
        # The last layer sees the whole context.
        last = layer == drafter.num_hidden_layers - 1
        head = shape.global_head_dim if last else shape.head_dim
        place = f"blk.{layer}."
        for norm in ("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"):
            yield f"{place}{norm}.weight", (hidden,)
        yield f"{place}attn_q_norm.weight", (head,)
        yield f"{place}layer_output_scale.weight", (1,)
        yield f"{place}attn_q.weight", (hidden, drafter.num_attention_heads * head)
        yield f"{place}attn_output.weight", (drafter.num_attention_heads * head, hidden)
        yield f"{place}ffn_gate.weight", (hidden, inner)
        yield f"{place}ffn_up.weight", (hidden, inner)
        yield f"{place}ffn_down.weight", (inner, hidden)
