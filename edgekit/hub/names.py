"""What the name of a published GGUF says: its quantization, its part of a model, its place among several files."""

from __future__ import annotations

import re
from typing import Literal

Kind = Literal["text", "projector", "drafter", "other"]
_QUANTIZATION = re.compile(
    r"(?:^|[-_.])((?:UD-)?(?:I?Q\d(?:_[A-Z0-9]+)*|TQ\d_\d|MXFP4(?:_MOE)?|NVFP4|BF16|F16|F32))(?=[-_.]|$)", re.IGNORECASE
)
_PART = re.compile(r"-(\d{5})-of-(\d{5})$")


def stem(path: str) -> str:
    """Return a file's name without folders, ending and the number of its part."""
    return _PART.sub("", path.rpartition("/")[2].removesuffix(".gguf"))


def part_count(path: str) -> int:
    """Return in how many files a model lies of which this is one."""
    found = _PART.search(path.removesuffix(".gguf"))
    return int(found[2]) if found else 1


def kind(path: str) -> Kind:
    """Return what a file in a repository is for; publishers mark projectors with mmproj and drafters with mtp."""
    name = stem(path).lower()
    if not path.endswith(".gguf") or "imatrix" in name:
        return "other"
    if "mmproj" in name:
        return "projector"
    return "drafter" if name.startswith("mtp") or "assistant" in name else "text"


def quantization(path: str) -> str:
    """Return what a file's name says of its quantization, in capitals, as in UD-Q4_K_XL; nothing where it is silent."""
    found = _QUANTIZATION.findall(stem(path))
    return found[-1].upper() if found else ""


def is_quantization(word: str) -> bool:
    """Return whether a word is written as quantizations are, in any case."""
    return quantization(f"-{word}") == word.upper()
