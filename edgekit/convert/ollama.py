"""A Modelfile for a GGUF that is already there, and for the released variants."""

from __future__ import annotations

from pathlib import Path

from edgekit import paths
from edgekit.catalog.load import variants
from edgekit.convert.modelfile import Modelfile
from edgekit.convert.whole_file import WholeFile
from edgekit.engine.check import check_model, check_projector
from edgekit.errors import FileError, UnsupportedError
from edgekit.gguf_header import Header, read_header
from edgekit.toml import read_toml

_ARCHITECTURE = "gemma4"
_DRAFTERS = ("gemma4-assistant",)


def renderer(per_layer_input: int) -> str:
    """Return Ollama's name for the prompt of a variant; E2B and E4B are those with per-layer embeddings."""
    return "gemma4-small" if per_layer_input else "gemma4-large"


def read_gemma4(path: Path) -> Header:
    """Return the header of a Gemma 4 GGUF; raises FileError or UnsupportedError where it is something else."""
    header = check_model(path)
    architecture = header.text("general.architecture")
    if architecture != _ARCHITECTURE:
        raise UnsupportedError(f"{path} is a {architecture}; edgekit writes Modelfiles for Gemma 4")
    return header


def modelfile_for(
    model: Header,
    folder: Path,
    *,
    projector: Path | None = None,
    drafter: Path | None = None,
    system: str | None = None,
) -> Modelfile:
    """Return the Modelfile for a model, to lie in `folder`; files below it are named relative to it.

    Raises FileError where a file is missing or the projector belongs to another model,
     UnsupportedError for another kind of drafter.
    """
    if projector:
        check_projector(projector, model)
    if drafter:
        _check_drafter(drafter)
    width = model.keys.get(f"{_ARCHITECTURE}.embedding_length_per_layer_input")
    return Modelfile(
        model=_seen_from(folder, model.path),
        projector=_seen_from(folder, projector) if projector else None,
        renderer=renderer(width if isinstance(width, int) else 0),
        drafter=_seen_from(folder, drafter) if drafter else None,
        system=system,
    )


def _check_drafter(drafter: Path) -> None:
    # The header's reader would advise `edgekit convert`, which makes no drafters.
    if not drafter.is_file():
        raise FileError(f"{drafter} is no file: name the GGUF of the MTP drafter, or leave out --drafter")
    kind = read_header(drafter).text("general.architecture")
    if kind not in _DRAFTERS:
        raise UnsupportedError(f"{drafter} is a {kind}, no Gemma 4 drafter: those are made from -assistant checkpoints")


def write_modelfile(path: Path, modelfile: Modelfile) -> None:
    """Write a Modelfile, whole or not at all."""
    data = modelfile.text().encode("utf-8")
    with WholeFile(path) as file:
        file.write(data)


def _seen_from(folder: Path, path: Path) -> str:
    inside, whole = folder.resolve(), path.resolve()
    return f"./{whole.relative_to(inside)}" if whole.is_relative_to(inside) else str(whole)


def released_modelfiles() -> dict[str, Modelfile]:
    """Return a Modelfile for Google's own GGUF of each variant, by file name; modelfiles/files.toml names those."""
    files = read_toml(paths.modelfiles_directory() / "files.toml")
    return {
        f"{variant.model}.Modelfile": Modelfile(
            model=files[variant.name]["model"],
            projector=files[variant.name]["projector"],
            renderer=renderer(variant.shape.hidden_size_per_layer_input),
        )
        for variant in variants()
    }
