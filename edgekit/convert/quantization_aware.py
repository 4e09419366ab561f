"""Checkpoints that were trained to be stored at Q4_0 (QAT)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import gguf
import yaml

from edgekit.convert.adapter import CONFIG
from edgekit.convert.checkpoint import read_json
from edgekit.errors import FileError

QUANTIZATION = "Q4_0"
# As in google/gemma-4-E2B-it-qat-q4_0-unquantized: neither config nor weights say it, names alone do.
_MARK = re.compile(r"(?<![a-z])qat(?![a-z])", re.IGNORECASE)


def quantization_aware_name(checkpoint: Path, adapters: Sequence[Path] = ()) -> str | None:
    """Return the name that says that a checkpoint was trained for Q4_0; None where none does."""
    return next((name for name in _names(checkpoint, adapters) if _MARK.search(name)), None)


def _names(checkpoint: Path, adapters: Sequence[Path]) -> Iterator[str]:
    # Not resolve(), which raises something else in each Python where links go round.
    yield Path(os.path.realpath(checkpoint)).name
    # What is missing or damaged is refused when it is converted.
    with suppress(FileError):
        yield str(read_json(checkpoint / "config.json", "").get("_name_or_path", ""))
    with suppress(yaml.YAMLError, ValueError, OSError):
        base = gguf.Metadata.load_model_card(checkpoint).get("base_model") or []
        yield from (str(name) for name in (base if isinstance(base, list) else [base]))
    for adapter in adapters:
        with suppress(FileError):
            yield str(read_json(adapter / CONFIG, "").get("base_model_name_or_path", ""))
