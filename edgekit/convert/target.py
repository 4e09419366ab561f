"""A GGUF model to be written, in one file or in parts, and what each of its tensors is made from."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from gguf import GGML_QUANT_VERSION, GGUFType, Keys
from gguf import GGMLQuantizationType as Type

from edgekit.catalog.recipe import Recipe
from edgekit.convert import keys
from edgekit.convert.gguf_file import TensorInfo
from edgekit.convert.imatrix import ImportanceMatrix, importance_of
from edgekit.convert.mixture import FILE_TYPES, tensor_types, uses_quantizer
from edgekit.convert.plan import TensorPlan
from edgekit.convert.safetensors import Floats
from edgekit.convert.shards import Shard, shards

FileKind = Literal["text", "drafter", "projector"]
_GGUF_TYPES = {"text": GGUFType.MODEL, "drafter": GGUFType.MODEL, "projector": GGUFType.MMPROJ}


@dataclass(frozen=True)
class Target:
    """A model in one quantization; tensors stand in the order of the plans they are made from."""

    # What it is called as one file.
    path: Path
    kind: FileKind
    quantization: str
    shards: tuple[Shard, ...]
    tensors: tuple[TensorInfo, ...]
    # Of the columns of those tensors that have one, by name.
    importance: Mapping[str, Floats] = field(default_factory=dict)


@dataclass(frozen=True)
class Group:
    """Files of the same tensors in several quantizations: each tensor is read once for all of them."""

    plans: tuple[TensorPlan, ...]
    targets: tuple[Target, ...]


def target(
    path: Path,
    kind: FileKind,
    recipe: Recipe,
    source: Type,
    plans: Sequence[TensorPlan],
    metadata: Mapping[str, keys.Value],
    matrix: ImportanceMatrix | None = None,
    unused: Collection[str] = (),
    limit: int | None = None,
) -> Target:
    """Choose every tensor's type and make the header.

    `source` is the checkpoint's own type, `unused` names its weights that no output uses, `limit` is how many bytes of
    tensors a file may have. Raises UnsupportedError where
    the recipe cannot be followed, FileError where the importance matrix was made from another model.
    """
    if not uses_quantizer(recipe):
        matrix = None
    recipe = replace(recipe, has_importance=matrix is not None)
    chosen = tensor_types(recipe, source, {plan.name: plan.shape for plan in plans}, metadata)
    types = [type if plan.stored is None else plan.stored for plan, type in zip(plans, chosen, strict=True)]
    tensors = tuple(TensorInfo(plan.name, plan.shape, type) for plan, type in zip(plans, types, strict=True))
    importance = {}
    for plan, type in zip(plans, types, strict=True):
        is_used = plan.weight is None or plan.weight.name not in unused
        found = importance_of(matrix, plan.name, plan.shape, type, recipe.quantization, is_used=is_used)
        if found is not None:
            importance[plan.name] = found
    about = {
        Keys.General.TYPE: keys.text(_GGUF_TYPES[kind]),
        Keys.General.FILE_TYPE: keys.u32(FILE_TYPES[recipe.quantization]),
        Keys.General.QUANTIZATION_VERSION: keys.u32(int(GGML_QUANT_VERSION)),
        **(matrix.metadata() if matrix else {}),
    }
    files = shards(path, {**metadata, **about}, tensors, limit)
    return Target(path, kind, recipe.quantization, files, tensors, importance)
