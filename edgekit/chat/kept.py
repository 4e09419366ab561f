"""What is known of the downloaded models: whether they fit, which template they have, what is newer on the Hub."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gguf import Keys

from edgekit.catalog.find import find_variant, split_name
from edgekit.chat.damaged import unused
from edgekit.chat.models import projector_beside
from edgekit.chat.models_here import ModelHere, companions, find_here, models_here
from edgekit.engine.check import check_model, check_projector, trained_context
from edgekit.engine.problems import template_revision
from edgekit.errors import EdgekitError, UnavailableError
from edgekit.fit.file_pick import pick_file
from edgekit.fit.needs import USUAL_CONTEXT, Needs
from edgekit.fit.recognized import file_load, modalities
from edgekit.gguf_header import Header
from edgekit.hardware.machine import Machine
from edgekit.hub.cache import is_here, name_in_repo
from edgekit.hub.remote import Look, RemoteFile
from edgekit.hub.removal import remove

DAMAGED = "damaged"


@dataclass(frozen=True)
class Kept:
    """A model on this machine."""

    model: ModelHere
    projector: Path | None
    # current, old, own or none; DAMAGED where the file cannot be read.
    template: str
    # None where only llama.cpp could tell: other architectures.
    fits: bool | None


def kept_models(machine: Machine) -> list[Kept]:
    """Return the downloaded models, the last used first."""
    return sorted((_kept(model, machine) for model in models_here()), key=lambda one: one.model.used, reverse=True)


def newer(models: Sequence[ModelHere], look: Look) -> tuple[list[ModelHere], dict[str, str]]:
    """Return the models of which the Hub has another content by now, and why it does not say of which others.

    Raises UnavailableError where it cannot be asked at all.
    """
    unknown: dict[str, str] = {}

    def has_newer(model: ModelHere) -> bool:
        try:
            return any(not is_here(file) for file in _listed(model, look))
        except UnavailableError:
            raise
        except EdgekitError as problem:
            unknown[model.name] = str(problem)
            return False

    return list(filter(has_newer, models)), unknown


def _listed(model: ModelHere, look: Look) -> list[RemoteFile]:
    names = {name_in_repo(path) for path in model.paths}
    return [file for file in look(model.repo).files if file.path in names]


def remove_model(model: ModelHere, others: Sequence[ModelHere]) -> int:
    """Remove a model, and projectors and drafters that none of the `others` uses; return how many bytes that frees."""
    freed = remove(model.repo, [name_in_repo(path) for path in model.paths])
    for repo in _repos_for(model).difference(*map(_repos_for, others)):
        freed += remove(repo, dict.fromkeys(name_in_repo(path) for path in companions(repo)))
    return freed


def _repos_for(model: ModelHere) -> set[str]:
    """Return the repositories whose projectors and drafters a model may use."""
    variant = find_variant(split_name(model.name)[0])
    return {model.repo, *(one.repo for one in (variant.projectors if variant else ()))}


def _kept(model: ModelHere, machine: Machine) -> Kept:
    with unused(model.paths):
        try:
            header, projector = _checked(model)
            template = template_revision(header.text(Keys.Tokenizer.CHAT_TEMPLATE))
            return Kept(model, projector.path if projector else None, template, _fits(header, projector, machine))
        except EdgekitError:
            return Kept(model, None, DAMAGED, None)


def is_damaged(model: ModelHere) -> bool:
    """Return whether a model, or the projector that it would be run with, cannot be read."""
    with unused(model.paths):
        try:
            _checked(model)
            return False
        except EdgekitError:
            return True


def _checked(model: ModelHere) -> tuple[Header, Header | None]:
    header = check_model(model.paths[0])
    projector = projector_for(model.name, header)
    return header, check_projector(projector, header) if projector else None


def projector_for(name: str, header: Header) -> Path | None:
    """Return the projector that a model would be run with."""
    here = find_here(name)
    return (here[1] if here else None) or projector_beside(header)


def _fits(header: Header, projector: Header | None, machine: Machine) -> bool | None:
    load = file_load(header, projector)
    if load is None:
        return None
    context = min(USUAL_CONTEXT, trained_context(header) or USUAL_CONTEXT)
    needs = Needs(context, ("text", *modalities(projector)))
    return pick_file(load, header, projector, machine, needs).fits
