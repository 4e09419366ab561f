"""Greedy tokens of the two other runtimes that open a folder of ONNX graphs: onnxruntime-genai and transformers.js."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
MODULES = HERE.parent.parent / ".oracles" / "npm" / "node_modules"


def genai(folder: Path, ids: Sequence[int], count: int) -> list[int]:
    """Tokens of onnxruntime-genai, which never ends before there are so many."""
    import onnxruntime_genai

    model = onnxruntime_genai.Model(str(folder))
    settings = onnxruntime_genai.GeneratorParams(model)
    length = len(ids) + count
    settings.set_search_options(max_length=length, min_length=length, do_sample=False)
    generator = onnxruntime_genai.Generator(model, settings)
    generator.append_tokens(np.array([ids], np.int32))
    for _ in range(count):
        generator.generate_next_token()
    found: list[int] = generator.get_sequence(0)[len(ids) :].tolist()
    return found


def transformers_js(
    folder: Path, ids: Sequence[int], count: int, precision: str = "fp32", media: Mapping[str, Any] | None = None
) -> list[int]:
    """Tokens of transformers.js under Node, which never ends before there are so many; `media` are inputs by name."""
    assert MODULES.is_dir(), "the oracle is missing: run `make .oracles/npm/installed` (make test does)"
    asked = {"folder": str(folder), "dtype": precision, "count": count, "ids": list(ids)}
    if media:
        asked["media"] = {name: _tensor(np.asarray(value)) for name, value in media.items()}
    done = subprocess.run(
        [Path(sys.executable).with_name("node"), HERE / "npm" / "generate.mjs", MODULES],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found: list[int] = json.loads(done.stdout.splitlines()[-1])
    return found


def _tensor(value: np.ndarray[Any, Any]) -> list[Any]:
    kind = {"f": "float32", "i": "int64", "b": "bool"}[value.dtype.kind]
    return [kind, list(value.shape), value.reshape(-1).tolist()]
