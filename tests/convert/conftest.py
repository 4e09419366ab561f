"""Checkpoints to convert, and what llama.cpp makes of them; each is made once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from oracles import tiny_checkpoint, tiny_variants
from oracles.llama_converter import llama_convert
from oracles.quantizer import llama_quantize
from oracles.tiny_checkpoint import CONVERTED, SHAPES, SOURCE_TYPES

from edgekit import paths

Made = Callable[[str], Path]


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return the folder of a checkpoint by its name: pico is the bundled one, the others are random."""
    folder = tmp_path_factory.mktemp("checkpoints")

    def make(name: str) -> Path:
        if name == "pico":
            return paths.demo_checkpoint()
        path = folder / f"{name}-E2B-it"
        if not path.exists():
            if name in tiny_variants.VARIANTS:
                tiny_variants.write(path, name)
            elif name == "released":
                tiny_checkpoint.release(make("tiny"), path, SHAPES[name])
            else:
                tiny_checkpoint.write(path, SHAPES[name])
        return path

    return make


@pytest.fixture(scope="session")
def llama(checkpoint: Made, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return the folder of llama.cpp's own files of a checkpoint: Q.gguf and mmproj-Q.gguf."""
    folder = tmp_path_factory.mktemp("llama")

    def make(name: str) -> Path:
        path = folder / name
        if not path.exists():
            llama_convert(checkpoint(name), path, CONVERTED, () if name in tiny_variants.EYELESS else CONVERTED)
            source = SOURCE_TYPES[SHAPES[name].dtype] if name in SHAPES else "BF16"
            llama_quantize(path / f"{source}.gguf", "Q4_0", path / "Q4_0.gguf")
        return path

    return make
