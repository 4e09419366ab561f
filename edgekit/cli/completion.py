"""What the shell completes for a model's name."""

from __future__ import annotations

from collections.abc import Iterable


def published_names(incomplete: str) -> list[str]:
    """Return the catalog's names that begin so."""
    from edgekit.catalog.load import variants

    return _beginning(incomplete, (f"{one.model}:{file.quantization}" for one in variants() for file in one.files))


def names_here(incomplete: str) -> list[str]:
    """Return the names of the models on this machine that begin so; a path the shell completes itself."""
    from edgekit.chat.models_here import models_here

    return _beginning(incomplete, ("demo", "demo:french", *(one.name for one in models_here())))


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    wanted = incomplete.lower()
    return list(dict.fromkeys(name for name in names if name.lower().startswith(wanted)))
