"""What is wrong or wasted here: on the machine, in the build of llama.cpp, and in the models that one has."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gguf import Keys

from edgekit import paths
from edgekit.chat.installed import Installed, installation_problems, installed
from edgekit.chat.models import projector_beside
from edgekit.convert.sizes import size
from edgekit.engine.problems import problems
from edgekit.errors import FileError
from edgekit.gguf_header import Header, read_header
from edgekit.hardware.build import backend_devices, built_features
from edgekit.hardware.machine import Machine
from edgekit.hardware.probe import probe
from edgekit.hardware.problem import Problem
from edgekit.hardware.problems import machine_problems
from edgekit.hardware.this_host import this_host
from edgekit.hub.removal import lost, unfinished

LOST_FIX = "`edgekit pull` gets it again, `edgekit models clean` forgets it"


@dataclass(frozen=True)
class Finding:
    """A problem and the file that has it; None for the machine's."""

    problem: Problem
    file: Path | None = None


@dataclass(frozen=True)
class Diagnosis:
    """What was looked at and what was found."""

    machine: Machine
    files: tuple[Path, ...]
    findings: tuple[Finding, ...]
    installed: Installed


def diagnose(models: Sequence[Path] = ()) -> Diagnosis:
    """Look at this machine and at GGUF files: those named, with their projectors, or all in the Hugging Face cache.

    Raises FileError where a named file does not exist.
    """
    machine = replace(probe(), backend_devices=backend_devices())
    found = machine_problems(this_host(), machine, machine.backend_devices, built_features())
    looked = dict(_named(models) if models else _downloaded())
    of_files = (Finding(one, path) for path, its in looked.items() for one in its)
    findings = [*map(Finding, (*found, *installation_problems(), *cache_problems())), *of_files]
    return Diagnosis(machine, tuple(looked), tuple(findings), installed())


def cache_problems() -> Iterator[Problem]:
    """Yield what is wrong with the folder of downloaded models."""
    folder = paths.models_directory()
    existing = next(one for one in (folder, *folder.absolute().parents) if paths.exists(one))
    if not (existing.is_dir() and os.access(existing, os.W_OK)):
        yield Problem("cache_not_writable", f"{folder} cannot be written: no model can be pulled; set HF_HUB_CACHE")
    if not _is_open(folder):
        return
    if partly := unfinished():
        left = size(sum(path.stat().st_size for path in partly))
        yield Problem(
            "unfinished_downloads",
            f"{left} of downloads that broke off lie in {folder}: `edgekit pull` goes on with them, "
            "`edgekit models clean` removes them",
        )
    for path in lost():
        yield Problem("lost_file", f"{path.name} points to a file that is gone: {LOST_FIX}")


def _named(models: Sequence[Path]) -> Iterator[tuple[Path, list[Problem]]]:
    for path in models:
        if not path.is_file():
            raise FileError(f"{path} is no file: name a model, projector or drafter (.gguf)")
        yield path, _of_file(path)
        projector = _projector(path)
        if projector and projector not in models:
            yield projector, _of_file(projector, path)


def _is_open(folder: Path) -> bool:
    """Return whether one may look into a folder, which need not exist."""
    return paths.exists(folder) and folder.is_dir() and os.access(folder, os.R_OK | os.X_OK)


def _downloaded() -> Iterator[tuple[Path, list[Problem]]]:
    if not _is_open(paths.models_directory()):
        return
    # repository, commit, file: huggingface_hub's layout.
    for path in sorted(paths.models_directory().glob("models--*/snapshots/*/**/*.gguf")):
        if path.exists():
            yield path, _of_file(path)


def _projector(path: Path) -> Path | None:
    header = _header(path)
    is_model = isinstance(header, Header) and header.text(Keys.General.ARCHITECTURE) == "gemma4"
    return projector_beside(header) if is_model and isinstance(header, Header) else None


def _of_file(path: Path, model: Path | None = None) -> list[Problem]:
    header = _header(path)
    if isinstance(header, Problem):
        return [header]
    its_model = _header(model) if model else None
    return problems(header, its_model if isinstance(its_model, Header) else None)


def _header(path: Path) -> Header | Problem:
    try:
        return read_header(path)
    except FileError as problem:
        return Problem("damaged", str(problem))
