"""The encoders of pictures and of sound inside a projector: which tensors they need, and of which sizes."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.engine.damage import check_blocks, impossible
from edgekit.errors import FileError
from edgekit.gguf_header import Header

_POSITIONS = "v.position_embd.weight"


@dataclass(frozen=True)
class _Tower:
    """What llama.cpp's clip.cpp takes for granted of one kind of encoder."""

    prefix: str
    tensors: tuple[str, ...]
    # Key to the tensor and the axis that must have its length.
    widths: dict[str, tuple[str, int]]
    # Of every block.
    block: tuple[str, ...] = ()
    # The tensor of a block that is as wide as one head.
    head: str = ""
    # Patches along a side that share one row of the table of positions.
    merged: int = 1


_TOWERS = {
    "gemma4v": _Tower(
        "v",
        ("v.patch_embd.weight", _POSITIONS, "mm.input_projection.weight"),
        {
            "vision.patch_size": ("v.patch_embd.weight", -1),
            "vision.embedding_length": ("v.patch_embd.weight", 0),
            "vision.projection_dim": ("mm.input_projection.weight", 0),
        },
        ("attn_q", "attn_k", "attn_v", "attn_out", "ffn_up", "ffn_gate", "ffn_down"),
        "attn_q_norm",
    ),
    "gemma4a": _Tower(
        "a",
        (
            "a.conv1d.0.weight",
            "a.conv1d.1.weight",
            "a.input_projection.weight",
            "a.pre_encode.out.weight",
            "mm.a.input_projection.weight",
        ),
        {
            "audio.embedding_length": ("a.input_projection.weight", 0),
            "audio.projection_dim": ("mm.a.input_projection.weight", 0),
        },
        ("attn_q", "attn_k", "attn_v", "attn_out", "attn_k_rel", "ffn_up", "ffn_down", "conv_dw"),
        "per_dim_scale",
    ),
    "gemma4uv": _Tower(
        "v",
        ("v.patch_embd.weight", "v.patch_embd.bias", _POSITIONS, "mm.input_projection.weight"),
        {
            "vision.embedding_length": ("v.patch_embd.weight", 0),
            "vision.projection_dim": ("mm.input_projection.weight", 0),
        },
        merged=3,
    ),
    "gemma4ua": _Tower(
        "a",
        ("mm.a.input_projection.weight",),
        {"audio.projection_dim": ("mm.a.input_projection.weight", 0)},
    ),
}


def check_towers(projector: Header) -> None:
    """Refuse a projector that lacks tensors, or whose keys do not fit them; FileError says which."""
    for name in ("vision", "audio"):
        if tower := _TOWERS.get(_tower_type(projector, name)):
            _check_tower(projector, name, tower)


def longest_side(projector: Header) -> int:
    """Return how many pixels a picture's side may have; 0 where the projector sets no limit."""
    tower, table = _TOWERS.get(_tower_type(projector, "vision")), projector.tensors.get(_POSITIONS)
    patch = projector.keys.get("clip.vision.patch_size")
    if not tower or not table or not isinstance(patch, int):
        return 0
    return table.shape[-2] * patch * tower.merged


def _tower_type(header: Header, tower: str) -> str:
    if not header.keys.get(f"clip.has_{tower}_encoder"):
        return ""
    return header.text("clip.projector_type") or header.text(f"clip.{tower}.projector_type") or ""


def _check_tower(header: Header, name: str, tower: _Tower) -> None:
    blocks = check_blocks(header, f"clip.{name}.block_count", f"{tower.prefix}.blk.")
    wanted = [f"{tower.prefix}.blk.{block}.{part}.weight" for block in range(blocks) for part in tower.block]
    for tensor in (*tower.tensors, *wanted):
        if tensor not in header.tensors:
            raise FileError(f"{header.path} is damaged: it has no tensor {tensor}; download or convert it again")
    for key, (tensor, axis) in tower.widths.items():
        if header.keys.get(f"clip.{key}") != header.tensors[tensor].shape[axis]:
            raise impossible(header, f"clip.{key}", header.keys.get(f"clip.{key}"))
    if tower.head:
        _check_heads(header, name, f"{tower.prefix}.blk.0.{tower.head}.weight")
    if _POSITIONS in tower.tensors:
        _check_positions(header)
    if "a.input_projection.weight" in tower.tensors:
        _check_bins(header)


def _check_heads(header: Header, tower: str, tensor: str) -> None:
    width, heads = (header.keys.get(f"clip.{tower}.{key}") for key in ("embedding_length", "attention.head_count"))
    if not isinstance(heads, int) or not isinstance(width, int) or not heads or width % heads:
        raise impossible(header, f"clip.{tower}.attention.head_count", heads)
    head = header.tensors.get(tensor)
    if head and head.shape[-1] != width // heads:
        raise impossible(header, f"clip.{tower}.attention.head_count", heads)


def _check_positions(header: Header) -> None:
    # A table for columns and one for rows.
    shape = header.tensors[_POSITIONS].shape
    if len(shape) != 3 or shape[0] != 2 or not shape[1] or shape[-1] != header.tensors["v.patch_embd.weight"].shape[0]:
        raise impossible(header, _POSITIONS, shape)


def _check_bins(header: Header) -> None:
    # Two convolutions halve the bins, and all channels of what is left go through the projection.
    bins, channels = header.keys.get("clip.audio.num_mel_bins"), header.tensors["a.conv1d.1.weight"].shape[0]
    if not isinstance(bins, int) or -(-bins // 4) * channels != header.tensors["a.input_projection.weight"].shape[-1]:
        raise impossible(header, "clip.audio.num_mel_bins", bins)
