"""A hundred models, projectors, drafters, pictures and sounds spoiled at random: the process lives on, with one line.

`python tests/mutated_models.py FOLDER --count 3000` tries as many as one likes.
"""

from __future__ import annotations

from pathlib import Path

import mutated_models
import pytest

# Of a seed that is not the script's own: other files than it tries.
SEED = 5
COUNTS = {"model": 20, "projector": 14, "drafter": 24, "picture": 60, "sound": 30}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mutated_models.prepare(tmp_path_factory.mktemp("mutated") / "sound")


@pytest.mark.parametrize("kind", COUNTS)
def test_spoiled_files_are_used_or_refused_in_one_line(kind: str, folder: Path) -> None:
    outcomes, wrong = mutated_models.run(folder, kind, SEED, COUNTS[kind])
    assert not wrong, "\n\n".join(wrong)
    assert sum(outcomes.values()) == COUNTS[kind]
    # Some are refused and some are not, or nothing was looked at.
    assert outcomes["refused"] + outcomes["crashed in its own process"] > 0
    assert outcomes["taken"] > 0
