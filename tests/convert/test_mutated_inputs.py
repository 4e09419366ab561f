"""2,000 files spoiled at random, through the command line: each is read or refused in one line, and none takes much."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import mutated_inputs
import pytest

from edgekit import paths

Made = Callable[[str], Path]
# The bundled model with everything that can be read of it, and other families' own configs and tokenizers.
CASES = {("pico", kind): 120 for kind in mutated_inputs.KINDS}
CASES |= {
    (name, kind): 32
    for name in ("experts", "unified", "drafter", "gemma3", "gemma3n")
    for kind in ("config.json", "tokenizer.json")
}
# Beside what the first, sound one takes.
MEMORY = 64 << 20


@pytest.fixture(scope="module")
def results(checkpoint: Made, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], str]:
    """What became of the inputs of each kind, in JSON, or how their process ended."""
    folder = tmp_path_factory.mktemp("sound")
    names = dict.fromkeys(name for name, _ in CASES)
    adapters = {"pico": paths.demo_adapter()}
    made = {name: mutated_inputs.prepare(folder / name, checkpoint(name), adapters.get(name)) for name in names}
    path = os.pathsep.join(filter(None, [str(paths.__file__).rpartition("/edgekit/")[0], os.environ.get("PYTHONPATH")]))

    def run(case: tuple[str, str]) -> str:
        line = [sys.executable, mutated_inputs.__file__, str(made[case[0]]), case[1], "0", str(CASES[case])]
        done = subprocess.run(line, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, check=False)
        return done.stdout if done.returncode == 0 else f"exit {done.returncode}: {done.stderr[-2000:]}"

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(CASES, pool.map(run, CASES), strict=True))


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_spoiled_files_are_read_or_refused_in_one_line(
    case: tuple[str, str], results: dict[tuple[str, str], str]
) -> None:
    assert results[case].startswith("{"), results[case]
    found: dict[str, Any] = json.loads(results[case])
    assert found["tried"] == CASES[case]
    assert not found["complaints"], "\n".join(f"{name}: {text}" for name, text in found["complaints"].items())
    # Some are refused and some are not, or nothing was looked at.
    assert 0 < found["taken"] < found["tried"]
    assert found["memory"] < MEMORY
