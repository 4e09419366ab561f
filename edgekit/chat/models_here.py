"""The models in the Hugging Face cache of this machine, by the names that people call them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.catalog.find import files_of, find_variant, repos_of, split_name
from edgekit.catalog.load import variants
from edgekit.catalog.variant import Variant
from edgekit.errors import FileError, NotHereError
from edgekit.gguf_parts import part_path
from edgekit.hub.address import is_repository
from edgekit.hub.cache import cached_file, cached_ggufs, cached_models, commit_of, name_in_repo, repos
from edgekit.hub.names import is_quantization, kind, quantization, stem


@dataclass(frozen=True)
class ModelHere:
    """A downloaded text model: its files, of which the first is the one to load."""

    name: str
    repo: str
    commit: str
    # Its name in the repository.
    file: str
    paths: tuple[Path, ...]

    @property
    def bytes(self) -> int:
        """Return its size on the disk."""
        return sum(path.stat().st_size for path in self.paths)

    @property
    def used(self) -> float:
        """Return when its content was read last, as the file system notes it (often once a day)."""
        return max(self.paths[0].stat().st_atime, self.paths[0].stat().st_mtime)


def models_here() -> list[ModelHere]:
    """Return every model that a name stands for here, of each file its newest revision."""
    found = [_model(repo, path) for repo in repos() for path in cached_models(repo)]
    times = Counter(one.name for one in found)
    return [_by_repository(one) if times[one.name] > 1 else one for one in found]


def _by_repository(one: ModelHere) -> ModelHere:
    """Return a model by its repository's name where the catalog's name means another file that is here, too."""
    model, quant = split_name(one.name)
    variant = find_variant(model)
    if variant is None or _of_variant(variant, quant) in one.paths:
        return one
    return replace(one, name=f"{one.repo}:{quant}")


def companions(repo: str) -> list[Path]:
    """Return the projectors and drafters that were downloaded from a repository, of all revisions."""
    return [path for path in cached_ggufs(repo) if kind(path.name) in ("projector", "drafter")]


def find_here(name: str) -> tuple[Path, Path | None] | None:
    """Return a model's file and its projector by the catalog's name or its repository's; None where it is no such name.

    Without a quantization any that is here is meant, the usual one first. A projector beside the model is left out.
    Raises NotHereError, which says how to get it, where it was not downloaded.
    """
    model, quant = split_name(name)
    variant = find_variant(model)
    if variant:
        if not (found := _of_variant(variant, quant)):
            raise _missing(variant, quant)
        beside = (cached_file(one.repo, one.file or "") for one in variant.projectors)
        return found, next(filter(None, beside), None)
    if not is_repository(model) or model.endswith(".gguf"):
        return None
    several = cached_models(model, quant)
    if not several:
        raise NotHereError(f"{name} is no file, and no model that was downloaded: `edgekit pull {name}` gets it", name)
    if len(several) > 1:
        known = ", ".join(f"{model}:{quantization(path.name)}" for path in several)
        raise FileError(f"there are several models of {model} here: say which: {known}")
    return several[0], None


def _of_variant(variant: Variant, quant: str) -> Path | None:
    for file in files_of(variant, quant):
        if path := cached_file(file.repo, file.file or ""):
            return path
    return next((path for repo in repos_of(variant) for path in cached_models(repo, quant)), None)


def _missing(variant: Variant, quant: str) -> FileError:
    known = files_of(variant, quant)
    if not known:
        offered = ", ".join(sorted({file.quantization for file in variant.files}))
        if not is_quantization(quant):
            return FileError(f"{quant} is no quantization: {variant.model} is published as {offered}")
        return NotHereError(
            f"{variant.model} {quant} is not on this machine, nor in the catalog, which has {offered}: "
            f"`edgekit pull {variant.model}:{quant}` looks for it",
            f"{variant.model}:{quant}",
        )
    name = f"{variant.model}:{known[0].quantization}" if quant else variant.model
    return NotHereError(f"{name} is not on this machine yet: `edgekit pull {name}` gets it", name)


def _model(repo: str, path: Path) -> ModelHere:
    file = name_in_repo(path)
    return ModelHere(_name(repo, file), repo, commit_of(path), file, tuple(_parts(path)))


def _name(repo: str, file: str) -> str:
    """Return what a file is called: by the catalog where it knows the repository, else by that."""
    said = quantization(file)
    for variant in variants():
        known = next((one.quantization for one in variant.files if (one.repo, one.file) == (repo, file)), said)
        if repo in repos_of(variant) and known:
            return f"{variant.model}:{known}"
    return f"{repo}:{said}" if said else repo


def _parts(first: Path) -> Iterator[Path]:
    count = int(found[1]) if (found := re.search(r"-00001-of-(\d{5})$", first.stem)) else 1
    yield first
    whole = first.with_name(f"{stem(first.name)}.gguf")
    yield from (path for number in range(1, count) if (path := part_path(whole, number, count)).is_file())
