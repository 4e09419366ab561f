"""A GGUF file to be written: its header and what each of its tensors is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gguf import GGML_QUANT_VERSION, GGUFType, Keys
from gguf import GGMLQuantizationType as Type

from edgekit.convert import keys
from edgekit.convert.gguf_file import TensorInfo, file_size, header
from edgekit.convert.mixture import FILE_TYPES, Mixture
from edgekit.convert.plan import TensorPlan

FileKind = Literal["text", "drafter", "projector"]
_GGUF_TYPES = {"text": GGUFType.MODEL, "drafter": GGUFType.MODEL, "projector": GGUFType.MMPROJ}


@dataclass(frozen=True)
class Target:
    """A file in one quantization; tensors stand in the order of the plans they are made from."""

    path: Path
    kind: FileKind
    quantization: str
    header: bytes
    tensors: tuple[TensorInfo, ...]

    @property
    def bytes(self) -> int:
        """How large the file becomes."""
        return file_size(len(self.header), self.tensors)


@dataclass(frozen=True)
class Group:
    """Files of the same tensors in several quantizations: each tensor is read once for all of them."""

    plans: tuple[TensorPlan, ...]
    targets: tuple[Target, ...]


def target(
    path: Path,
    kind: FileKind,
    quantization: str,
    source: Type,
    plans: Sequence[TensorPlan],
    metadata: Mapping[str, keys.Value],
) -> Target:
    """Choose every tensor's type and make the header; `source` is the checkpoint's own type."""
    has_output = any(plan.name == "output.weight" for plan in plans)
    mixture = Mixture(quantization, source, has_output)
    tensors = tuple(TensorInfo(plan.name, plan.shape, mixture.type(plan.name, plan.shape)) for plan in plans)
    about = {
        Keys.General.TYPE: keys.text(_GGUF_TYPES[kind]),
        Keys.General.FILE_TYPE: keys.u32(FILE_TYPES[quantization]),
        Keys.General.QUANTIZATION_VERSION: keys.u32(int(GGML_QUANT_VERSION)),
    }
    return Target(path, kind, quantization, header({**metadata, **about}, tensors), tensors)
