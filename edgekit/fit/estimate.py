"""What running a file on a machine takes, line by line."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from edgekit.catalog.drafter import drafter_bytes
from edgekit.catalog.variant import ModelFile, Shape, Variant
from edgekit.catalog.weights import METADATA, Weights, weights
from edgekit.fit.buffers import (
    accelerator_buffer,
    audio_buffer,
    compute_buffer,
    drafter_buffer,
    host_buffer,
    output_buffer,
    vision_buffer,
)
from edgekit.fit.graph_inputs import FLOAT
from edgekit.fit.kv_cache import KvCache, kv_cache
from edgekit.fit.repack import repackable
from edgekit.fit.settings import Settings
from edgekit.hardware.machine import Processor

Where = Literal["gpu", "host", "file"]

MIB = 1 << 20
# Anonymous memory of `edgekit chat` without weights, cache and buffers (benchmarks/resident.py): 83 MiB of vocabulary,
# 62 MiB of Python with Textual and of llama.cpp's own. Pages of programs and libraries are everybody's.
PROCESS = 145 * MIB
# Soft tokens of a picture where nothing else is asked for: the reference processor's default.
IMAGE_TOKENS = 280
_PAGE = 4096


@dataclass(frozen=True)
class Line:
    """One purpose that takes memory; `file` is pages of the model file that the system may drop."""

    what: str
    bytes: int
    where: Where
    # What has to be resident at once; less than `bytes` for tables that are read row by row.
    needed: int


@dataclass(frozen=True)
class Estimate:
    """The memory of one way to run one file."""

    lines: tuple[Line, ...]

    @property
    def total(self) -> int:
        """Return all bytes, wherever they are."""
        return sum(line.bytes for line in self.lines)

    @property
    def gpu(self) -> int:
        """Return the bytes on the accelerator."""
        return sum(line.bytes for line in self.lines if line.where == "gpu")

    @property
    def host(self) -> int:
        """Return the bytes in main memory, file pages included."""
        return self.total - self.gpu

    @property
    def host_needed(self) -> int:
        """Return the bytes of main memory that have to be resident at once."""
        return sum(line.needed for line in self.lines if line.where != "gpu")


@dataclass(frozen=True)
class Load:
    """What is to be run: a file, perhaps a projector, for some modalities."""

    variant: Variant
    file: ModelFile
    projector: ModelFile | None = None
    modalities: tuple[str, ...] = ("text",)
    drafter: ModelFile | None = None
    # Soft tokens of the largest picture: 70, 140, 280, 560 or 1120.
    image_tokens: int = IMAGE_TOKENS


def estimate(load: Load, settings: Settings, processor: Processor) -> Estimate:
    """Return what a load takes under the given settings, on the given processor."""
    parts = weights(load.variant.shape, load.file)
    cache = kv_cache(load.variant.shape, settings)
    lines = [
        *_weights(load.variant, parts, settings),
        *_repack(load.variant.shape, parts, settings, processor),
        *_cache(load.variant, cache, settings),
        *_buffers(load.variant.shape, cache, settings),
        *_projector(load, settings),
        *_drafter(load, cache, settings),
        # The engine keeps copies of the sliding windows to go back to (engine/checkpoints.py), within as much again.
        _line("process", PROCESS + cache.sliding, "host"),
    ]
    return Estimate(tuple(line for line in lines if line.bytes))


def _line(what: str, size: int, where: Where, needed: int | None = None) -> Line:
    return Line(what, size, where, size if needed is None else min(size, needed))


def _weights(variant: Variant, parts: Weights, settings: Settings) -> list[Line]:
    first = _first_on_gpu(variant.shape, settings)
    moved = sum(parts.layers[first:])
    rest = parts.file - moved - parts.token_embeddings - parts.per_layer_embeddings
    row = parts.per_layer_embeddings // variant.shape.vocab_size
    # A row lies on as many pages as it touches; a context holds at most so many different tokens.
    rows = settings.context * (row + _PAGE)
    return [
        _line("weights", rest, "file"),
        _line("weights", moved, "gpu"),
        # The output matrix is the token embeddings: the accelerator gets a copy, the host only looks rows up.
        _line("token_embeddings", parts.token_embeddings, "file", rows if settings.gpu_layers else None),
        _line("token_embeddings", parts.token_embeddings if settings.gpu_layers else 0, "gpu"),
        _line("per_layer_embeddings", parts.per_layer_embeddings, "file", rows),
    ]


def _first_on_gpu(shape: Shape, settings: Settings) -> int:
    """Return the first layer on an accelerator: the output matrix goes before the last layer (llama-model.cpp)."""
    return min(shape.num_hidden_layers, max(0, shape.num_hidden_layers + 1 - settings.gpu_layers))


def _repack(shape: Shape, parts: Weights, settings: Settings, processor: Processor) -> list[Line]:
    on_host = _first_on_gpu(shape, settings) / shape.num_hidden_layers
    return [_line("repack", int(repackable(parts.by_type, processor) * on_host) if settings.repack else 0, "host")]


def _cache(variant: Variant, cache: KvCache, settings: Settings) -> list[Line]:
    shape = variant.shape
    first = _first_on_gpu(shape, settings)
    sizes: dict[tuple[str, Where], int] = {}
    for layer, size in enumerate(cache.layers):
        what = "kv_sliding" if shape.is_sliding(layer) else "kv_full"
        key: tuple[str, Where] = (what, "gpu" if layer >= first else "host")
        sizes[key] = sizes.get(key, 0) + size
    return [_line(what, size, where) for (what, where), size in sizes.items()]


def _buffers(shape: Shape, cache: KvCache, settings: Settings) -> list[Line]:
    compute = compute_buffer(shape, cache, settings)
    output = _line("output", output_buffer(shape, max(settings.outputs, settings.sequences)), "host")
    if not settings.gpu_layers:
        return [_line("compute", compute, "host"), output]
    # Where the host runs layers too, it needs a buffer for them.
    host = host_buffer(shape, cache, settings) if settings.gpu_layers > shape.num_hidden_layers else compute
    return [_line("compute", accelerator_buffer(shape, cache, settings), "gpu"), _line("compute", host, "host"), output]


def _projector(load: Load, settings: Settings) -> list[Line]:
    if load.projector is None or load.projector.bytes is None:
        return []
    where: Where = "gpu" if settings.gpu_layers else "host"
    # llama.cpp keeps a buffer for each encoder once it has been used.
    working = 0
    if load.variant.vision and {"image", "video"} & set(load.modalities):
        working += vision_buffer(load.variant.vision, load.image_tokens, flash_attention=settings.flash_attention)
    if load.variant.audio and "audio" in load.modalities:
        working += audio_buffer(load.variant.audio, load.variant.audio.maximum_tokens)
    return [
        _line("projector", load.projector.bytes, where),
        _line("projector_compute", working, where),
    ]


def _drafter(load: Load, cache: KvCache, settings: Settings) -> list[Line]:
    if load.drafter is None or load.variant.drafter is None:
        return []
    shape, drafter = load.variant.shape, load.variant.drafter
    size = load.drafter.bytes or METADATA + drafter_bytes(drafter, shape, load.drafter.quantization)
    # It reads the model's own cache, token by token, and has a row of logits and buffers of its own; the model hands it
    # the state of every token of a batch.
    alone = replace(settings, batch=1, ubatch=1, outputs=1)
    working = drafter_buffer(drafter, shape, cache, alone) + output_buffer(shape, settings.sequences)
    working += FLOAT * shape.hidden_size * settings.batch
    if settings.gpu_layers:
        return [_line("drafter", size + working, "gpu")]
    return [_line("drafter", size, "file"), _line("drafter", working, "host")]
