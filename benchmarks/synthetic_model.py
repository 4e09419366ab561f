"""Write a GGUF of a variant's real shape and size whose weights are noise: for timing and memory, not for answers.

Usage: python benchmarks/synthetic_model.py E2B Q4_K_M OUT.gguf
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType as Type

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from oracles.header_only import write_header_only

from edgekit import paths
from edgekit.catalog.load import variants
from edgekit.convert.quantize import quantize
from edgekit.gguf_header import TensorPlace, read_header

# Values that are quantized once for each type and then repeated; a multiple of every block.
_NOISE = 1 << 21
# Where Unicode has room for 262,144 letters that no other token begins with.
_LETTERS = 0x20000
# As many merges as Gemma 4's tokenizer has.
_MERGES = 514_906


def write_synthetic(name: str, quantization: str, path: Path) -> Path:
    """Write the model `name` as llama-quantize would quantize it, tensors' types and sizes the real ones; return it."""
    variant = next(one for one in variants() if one.name == name)
    write_header_only(variant, quantization, path, vocabulary=_vocabulary(variant.shape.vocab_size))
    noise = np.random.default_rng(0).standard_normal(_NOISE, np.float32) * 0.02
    blocks: dict[Type, bytes] = {}
    with path.open("r+b") as file:
        for place in read_header(path).tensors.values():
            file.seek(place.offset)
            if len(place.shape) == 1:
                file.write(np.ones(place.shape, np.float32).tobytes())
                continue
            if place.type not in blocks:
                blocks[place.type] = bytes(quantize(place.type, noise.reshape(-1, 2048)))
            for part in _repeated(blocks[place.type], place):
                file.write(part)
    return path


def _repeated(block: bytes, place: TensorPlace) -> Iterator[bytes]:
    for start in range(0, place.bytes, len(block)):
        yield block[: place.bytes - start]


def _vocabulary(size: int) -> tuple[list[str], list[str]]:
    """Return the bundled model's tokens and merges, and others until they take about the room of Gemma 4's."""
    known = json.loads((paths.demo_checkpoint() / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    rng = random.Random(0)
    tokens = sorted(known["vocab"], key=known["vocab"].__getitem__)
    # One letter each, so that what the model wrote is read as the same tokens in the next turn.
    tokens += [chr(_LETTERS + index) for index in range(size - len(tokens))]
    merges = [" ".join(pair) for pair in known["merges"]]
    merges += [
        f"{rng.choice(tokens)[:6]} {rng.choice(tokens)[:4]}{index % 97}" for index in range(_MERGES - len(merges))
    ]
    return tokens, merges


if __name__ == "__main__":
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    words.add_argument("variant")
    words.add_argument("quantization")
    words.add_argument("out", type=Path)
    given = words.parse_args()
    write_synthetic(given.variant, given.quantization, given.out)
    print(f"{given.out}: {given.out.stat().st_size / 1e9:.2f} GB of noise")
