"""What a Gemma 4 file on disk is: its variant, its quantization, and what each of its tensors takes."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace

from gguf import LlamaFileType

from edgekit.catalog.load import variants
from edgekit.catalog.quantization import BASE_TYPES
from edgekit.catalog.variant import ModelFile, Shape, Variant
from edgekit.fit.estimate import Load
from edgekit.fit.file_shape import drafter_shape, text_shape, towers
from edgekit.gguf_header import Header


def recognized(header: Header) -> Load | None:
    """Return a file as a load of its variant in the catalog; None where it is no known one."""
    load = file_load(header)
    return load if load and load.variant in variants() else None


def file_load(header: Header, projector: Header | None = None, drafter: Header | None = None) -> Load | None:
    """Return a file of any Gemma 4 as a load, all sizes from the files' own headers; None of anything else."""
    shape = text_shape(header)
    if shape is None:
        return None
    variant = _variant(shape, header)
    types = tuple((tensor.name, tensor.type.name) for tensor in header.tensors.values())
    name = _quantization(variant, header)
    aware = any(one.quantization_aware for one in variant.files if _is_published(one, header))
    file = ModelFile(name, variant.repo, header.path.name, header.bytes, aware, tensor_types=types)
    load = _with_drafter(Load(variant, file), drafter)
    if projector is None:
        return load
    found = towers(projector)
    # A projector without encoders, 12B's, says nothing of widths: the catalog does.
    read = replace(load.variant, vision=found.get("vision", variant.vision), audio=found.get("audio", variant.audio))
    beside = ModelFile(_type_name(projector) or "mixed", variant.repo, projector.path.name, projector.bytes)
    return replace(load, variant=read, projector=beside, modalities=modalities(projector))


def _with_drafter(load: Load, drafter: Header | None) -> Load:
    if drafter is None:
        return load
    beside = ModelFile(_type_name(drafter) or "mixed", load.variant.repo, drafter.path.name, drafter.bytes)
    return replace(load, variant=replace(load.variant, drafter=drafter_shape(drafter)), drafter=beside)


def modalities(projector: Header | None) -> tuple[str, ...]:
    """Return what a model takes in with a projector or without one."""
    kinds = {"vision": ("image", "video"), "audio": ("audio",)}
    return ("text", *(one for kind, names in kinds.items() if projector and _has(projector, kind) for one in names))


def _variant(shape: Shape, header: Header) -> Variant:
    known = next((one for one in variants() if one.shape == shape), None)
    name = header.text("general.name") or header.path.stem
    context = header.keys.get("gemma4.context_length")
    return known or Variant(
        name=name,
        model=name,
        repo="",
        modalities=("text",),
        context=context if isinstance(context, int) else 0,
        # Variants with per-layer embeddings read pictures causally (llama.cpp, mtmd_decode_use_non_causal).
        causal_images=bool(shape.hidden_size_per_layer_input),
        shape=shape,
        sampling={},
        # Nobody published any: all ways to run the file are as good as each other.
        benchmarks=defaultdict(float),
        files=(),
        projectors=(),
    )


def _quantization(variant: Variant, header: Header) -> str:
    """Return what the file is called or calls itself; else the quantization that its most frequent type is known by."""
    published = next((one for one in variant.files if _is_published(one, header)), None)
    if published:
        return published.quantization
    if name := _type_name(header):
        return name
    sizes: Counter[str] = Counter()
    for tensor in header.tensors.values():
        sizes[tensor.type.name] += tensor.bytes
    most = sizes.most_common(1)[0][0]
    return next((name for name, kind in BASE_TYPES.items() if kind == most), most)


def _is_published(file: ModelFile, header: Header) -> bool:
    return header.bytes == file.bytes or header.path.name == file.file


def _type_name(header: Header) -> str | None:
    number = header.keys.get("general.file_type")
    try:
        name = (
            LlamaFileType(number if isinstance(number, int) else -1).name.removeprefix("MOSTLY_").removeprefix("ALL_")
        )
    except ValueError:
        return None
    return name if name in BASE_TYPES else None


def _has(projector: Header, kind: str) -> bool:
    return bool(projector.keys.get(f"clip.has_{kind}_encoder"))
