"""Machines as text: `machines/NAME.txt` holds the system files of one, laid out under a root by a fixture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

_MACHINES = Path(__file__).parent / "machines"


@pytest.fixture
def machine_root(tmp_path: Path) -> Callable[[str], Path]:
    """Lay the files of a machine out and return the root."""

    def lay_out(name: str) -> Path:
        root = tmp_path / name
        for part in (_MACHINES / f"{name}.txt").read_text(encoding="utf-8").split("\n=== ")[1:]:
            path, _, text = part.partition("\n")
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
        return root

    return lay_out
