"""The files of a model where the Hub cannot be asked: those that are here already."""

from __future__ import annotations

from edgekit.catalog.find import find_variant, split_name
from edgekit.chat.damaged import is_whole
from edgekit.chat.pull import Pulled
from edgekit.chat.wanted import Wanted, find_wanted
from edgekit.errors import FileError, UnavailableError
from edgekit.hub.cache import look_here, named


def find_kept(name: str, quant: str, why: UnavailableError, *, projector: str = "", drafter: bool = True) -> Wanted:
    """Return the files of a name as `find_wanted` does, out of what was downloaded.

    Raises UnavailableError, which says `why` the Hub was not asked and what is missing or damaged.
    """
    try:
        model = find_wanted(name, quant, look_here, projector="none", drafter=drafter)
    except FileError:
        raise UnavailableError(f"{why}; {name} is not here") from None
    try:
        wanted = find_wanted(name, quant, look_here, projector=projector, drafter=drafter)
    except FileError:
        wanted = model
    variant = find_variant(split_name(name)[0])
    published = bool(projector or (variant and variant.projectors)) and projector.lower() != "none"
    if published and wanted.projector is None:
        asked = f"{projector} projector" if projector else "projector"
        raise UnavailableError(f"{why}; {model.name} is here, its {asked} is not (`--projector none` does without)")
    if spoiled := [file.path for file in wanted.files if not is_whole(file)]:
        raise UnavailableError(
            f"{why}; {model.name} is here and damaged ({', '.join(spoiled)}): `edgekit pull {model.name}` brings it "
            "anew once the Hub can be asked"
        )
    return wanted


def kept(wanted: Wanted) -> list[Pulled]:
    """Return the files that `find_kept` found as a pull would."""
    return [Pulled(file, named(file), "here") for file in wanted.files]
