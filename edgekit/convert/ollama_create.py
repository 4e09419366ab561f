"""Create a model in a running Ollama from a Modelfile, and compare what Ollama then says with what was asked."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.convert.modelfile import Modelfile
from edgekit.convert.modelfile_grammar import Value, parameter, read
from edgekit.convert.ollama_client import Ollama
from edgekit.convert.progress import Progress
from edgekit.errors import UnsupportedError

_BLOCK = 1 << 20
_LONGEST = 80


@dataclass(frozen=True)
class Created:
    """A model in Ollama."""

    name: str
    version: str
    capabilities: tuple[str, ...]
    # What Ollama's Modelfile has otherwise than what was asked; nothing where all is as it should be.
    differences: tuple[str, ...]


def model_name(wanted: str) -> str:
    """Return a name that Ollama takes: letters, digits and `_-.`, not a dot or a dash first."""
    name = re.sub(r"[^A-Za-z0-9_.-]", "-", wanted).lstrip(".-")[:_LONGEST]
    if not name:
        raise UnsupportedError(f"{wanted!r} has no letter that a name in Ollama may have: give one with --name")
    return name


def create(
    ollama: Ollama, name: str, modelfile: Modelfile, folder: Path, digests: Mapping[Path, str], progress: Progress
) -> Created:
    """Create a model from a Modelfile that lies in `folder`; `digests` has those of files that are known already.

    Raises NotRunningError where no Ollama answers, UnsupportedError where it is too old or refuses.
    """
    version = ollama.version()
    _check_version(version, modelfile.requires)
    request: dict[str, Any] = {"model": name, "files": {}, "requires": modelfile.requires}
    for path in modelfile.files:
        request["files"] |= _pushed(ollama, folder / path, digests, progress)
    if modelfile.drafter:
        request["draft_files"] = _pushed(ollama, folder / modelfile.drafter, digests, progress)
    if modelfile.dialect:
        request |= {"renderer": modelfile.dialect.renderer, "parser": modelfile.dialect.parser}
        request["template"] = modelfile.template
    if modelfile.system:
        request["system"] = modelfile.system
    request["parameters"] = _typed(modelfile.all_parameters())
    ollama.create(request, progress)
    shown = ollama.show(name)
    differences = (*_differences(request, shown), *_missing(_kept(modelfile, request), shown))
    return Created(name, version, tuple(shown.get("capabilities") or ()), differences)


def _pushed(ollama: Ollama, path: Path, digests: Mapping[Path, str], progress: Progress) -> dict[str, str]:
    digest = f"sha256:{digests.get(path) or _digest(path, progress)}"
    if not ollama.has_blob(digest):
        ollama.push_blob(path, digest, progress)
    return {path.name: digest}


def _digest(path: Path, progress: Progress) -> str:
    digest, done, size = hashlib.sha256(), 0, path.stat().st_size
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            done += len(block)
            progress(done, size, f"reading {path.name}")
    return digest.hexdigest()


def _typed(pairs: tuple[tuple[str, str], ...]) -> dict[str, Value | list[Value]]:
    made: dict[str, Any] = {}
    for name, text in pairs:
        value = parameter(name, text)
        if isinstance(value, str):
            made.setdefault(name, []).append(value)
        else:
            made[name] = value
    return made


def _check_version(version: str, wanted: str) -> None:
    found = [int(number) for number in re.findall(r"\d+", version.partition("-")[0])]
    # Built from source it calls itself 0.0.0: nobody can tell.
    if any(found) and found < [int(number) for number in wanted.split(".")]:
        raise UnsupportedError(f"Ollama {version} runs here, and these files need {wanted}: update it first")


def _differences(request: Mapping[str, Any], shown: Mapping[str, Any]) -> Iterator[str]:
    for key in ("system", "template", "requires"):
        if key in request and shown.get(key) != request[key]:
            yield f"{key} is {shown.get(key)!r} and not {request[key]!r}"
    lines = _instructions(shown)
    for key in ("renderer", "parser"):
        line = next((value for name, value in lines if name == key.upper()), None)
        if key in request and line != request[key]:
            yield f"{key.upper()} is {line} and not {request[key]}"
    found = _typed(tuple(_pair(value) for name, value in lines if name == "PARAMETER"))
    for name, wanted in request["parameters"].items():
        if not _same(found.get(name), wanted):
            yield f"PARAMETER {name} is {found.get(name)} and not {wanted}"


def _pair(value: str) -> tuple[str, str]:
    name, _, text = value.partition(" ")
    return name, text


def _same(found: object, wanted: object) -> bool:
    if isinstance(found, float) and isinstance(wanted, float):
        # Kept in single precision.
        return math.isclose(found, wanted, rel_tol=1e-6)
    if isinstance(found, list) and isinstance(wanted, list):
        # Ollama shows texts without quotes where those that they begin with would be taken for some.
        return [one.strip(' "') for one in found] == [one.strip(' "') for one in wanted]
    return found == wanted


def _kept(modelfile: Modelfile, request: Mapping[str, Any]) -> dict[str, str]:
    """Return the digests of the files that Ollama leaves as they are: the model itself it writes anew."""
    files = {modelfile.projector: request["files"], modelfile.drafter: request.get("draft_files")}
    return {path: digests[Path(path).name] for path, digests in files.items() if path and digests}


def _missing(kept: Mapping[str, str], shown: Mapping[str, Any]) -> Iterator[str]:
    paths = [value for name, value in _instructions(shown) if name in ("FROM", "DRAFT")]
    if len(paths) != 1 + len(kept):
        yield f"it has {len(paths)} files and not {1 + len(kept)}"
    for name, digest in kept.items():
        if not any(path.endswith(digest.replace(":", "-")) for path in paths):
            yield f"{name} is not among its files"


def _instructions(shown: Mapping[str, Any]) -> list[tuple[str, str]]:
    modelfile = str(shown.get("modelfile", ""))
    # Ollama does not quote a text in a way that it could read again.
    for key in ("system", "template"):
        modelfile = modelfile.replace(str(shown[key]), "", 1) if shown.get(key) else modelfile
    return read(modelfile)
