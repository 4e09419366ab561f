"""Machines by name: NAME.txt holds the system files of one, each under a line `=== PATH`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from edgekit.hardware.backends import BACKENDS
from edgekit.hardware.machine import Machine
from edgekit.hardware.probe import describe

_FOLDER = Path(__file__).parent
# A llama.cpp build that drives whatever the machine has.
EVERY_BACKEND: frozenset[str] = frozenset().union(*BACKENDS.values())


def lay_out(name: str, folder: Path) -> Path:
    """Write a machine's files under a new folder in `folder` and return it."""
    root = folder / name
    for part in (_FOLDER / f"{name}.txt").read_text(encoding="utf-8").split("\n=== ")[1:]:
        path, _, text = part.partition("\n")
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    return root


def machine(name: str, folder: Path, backends: frozenset[str] = EVERY_BACKEND) -> Machine:
    """Return the machine that edgekit sees there, with a llama.cpp build of these backends."""
    return describe(lay_out(name, folder), backends=backends)


# Name: what makes the machine, given a folder for its files.
MACHINES: dict[str, Callable[[Path], Machine]] = {
    path.stem: partial(machine, path.stem) for path in sorted(_FOLDER.glob("*.txt"))
}
