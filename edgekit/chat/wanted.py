"""Which files a name stands for on the Hub, by what its repositories really hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from edgekit.catalog.find import files_of, find_variant, repos_of, split_name
from edgekit.catalog.load import variants
from edgekit.catalog.variant import ModelFile, Variant
from edgekit.errors import FileError
from edgekit.hub.address import endpoint, is_repository
from edgekit.hub.names import is_quantization, kind, part_count, quantization, stem
from edgekit.hub.remote import Listing, Look, RemoteFile

# Small first; the others are as large as one another, and BF16 is what the encoders were trained in.
_PROJECTORS = ("Q8_0", "BF16", "F16", "F32")


@dataclass(frozen=True)
class Wanted:
    """The files of one model; a text model in several files has all of them in `text`."""

    # What `edgekit chat` calls it once it is here.
    name: str
    text: tuple[RemoteFile, ...]
    projector: RemoteFile | None = None
    drafter: RemoteFile | None = None

    @property
    def files(self) -> tuple[RemoteFile, ...]:
        """Return all files, the text model last: where it is here, the others are."""
        return (*self._companions, *self.text)

    @property
    def listed(self) -> tuple[RemoteFile, ...]:
        """Return all files, the text model first, as people read them."""
        return (*self.text, *self._companions)

    @property
    def _companions(self) -> tuple[RemoteFile, ...]:
        return tuple(one for one in (self.projector, self.drafter) if one)


def find_wanted(name: str, quant: str, look: Look, *, projector: str = "", drafter: bool = True) -> Wanted:
    """Return the files of a catalog name or of a repository OWNER/NAME, as `look` lists it.

    `quant` may stand in the name, too. `projector` is the quantization of one, `none`, or nothing for the usual one. An
    MTP drafter lies in the text model's repository. Raises FileError where something is not there, with what is.
    """
    model, said = split_name(name)
    if quant and said and quant.lower() != said.lower():
        raise FileError(f"{name} already says a quantization: leave out --quant {quant}")
    quant, variant = quant or said, find_variant(model)
    if variant:
        text, called = _of_variant(variant, quant, look)
    elif is_repository(model):
        text, called = _text(look(model), quant), model
    elif "://" in name:
        raise FileError(f"{name} is no address of a repository of models: it takes {endpoint()}/OWNER/NAME")
    else:
        known = ", ".join(one.model for one in variants())
        raise FileError(f"{name} is neither in the catalog ({known}) nor a repository OWNER/NAME")
    listing = look(text[0].repo)
    suffix = quant.upper() or quantization(text[0].path)
    found = _projector(variant, listing, look, projector)
    return Wanted(f"{called}:{suffix}" if suffix else called, text, found, _drafter(listing) if drafter else None)


def _of_variant(variant: Variant, quant: str, look: Look) -> tuple[tuple[RemoteFile, ...], str]:
    known = ", ".join(sorted({file.quantization for file in variant.files}))
    if quant and not is_quantization(quant):
        raise FileError(f"{quant} is no quantization: {variant.model} is published as {known}")
    for file in files_of(variant, quant):
        return _published(look(file.repo), file), variant.model
    there = {file.quantization for file in variant.files}
    for repo in repos_of(variant):
        # One that is gone or renamed must not hide what the others hold.
        with suppress(FileError):
            listing = look(repo)
            if any(quantization(file.path) == quant.upper() for file in _of_kind(listing, "text")):
                return _text(listing, quant), variant.model
            there |= {quantization(file.path) for file in _of_kind(listing, "text")}
    raise FileError(f"{variant.model} is not published as {quant}: there are {', '.join(sorted(there - {''}))}")


def _published(listing: Listing, known: ModelFile) -> tuple[RemoteFile, ...]:
    """Return the file that the catalog names; where it was renamed, the one of its quantization."""
    group = [file for file in listing.files if file.path == known.file]
    return _parts(listing, group[0]) if group else _text(listing, known.quantization)


def _text(listing: Listing, quant: str) -> tuple[RemoteFile, ...]:
    found = _of_kind(listing, "text")
    if not found:
        raise FileError(f"{listing.repo} holds no GGUF of a text model: name a repository of GGUF files")
    named = [file for file in found if not quant or quantization(file.path) == quant.upper()]
    groups = {_group(file): file for file in named}
    if len(groups) == 1:
        return _parts(listing, *groups.values())
    offered = ", ".join(dict.fromkeys(quantization(file.path) or stem(file.path) for file in found))
    if not groups:
        raise FileError(f"{listing.repo} holds no {quant}: there are {offered}")
    if not quant:
        raise FileError(f"{listing.repo} holds several models: say which with --quant: {offered}")
    names = ", ".join(file.path for file in groups.values())
    raise FileError(f"{listing.repo} holds {quant} several times ({names}): name a repository with one")


def _parts(listing: Listing, one: RemoteFile) -> tuple[RemoteFile, ...]:
    same = [file for file in listing.files if _group(file) == _group(one)]
    if len(same) != part_count(one.path):
        raise FileError(f"{listing.repo} holds {len(same)} of the {part_count(one.path)} parts of {stem(one.path)}")
    return tuple(sorted(same, key=lambda file: file.path))


def _group(file: RemoteFile) -> tuple[str, str, int]:
    """Return what the files of one model have in common."""
    return file.path.rpartition("/")[0], stem(file.path), part_count(file.path)


def _projector(variant: Variant | None, listing: Listing, look: Look, asked: str) -> RemoteFile | None:
    if asked.lower() == "none":
        return None
    for known in variant.projectors if variant else ():
        if asked.upper() in ("", known.quantization):
            # A repository that is gone must not keep the model away.
            with suppress(FileError):
                there = [file for file in look(known.repo).files if file.path == known.file]
                if there:
                    return there[0]
    own = _of_kind(listing, "projector")
    named = [file for file in own if asked.upper() in ("", quantization(file.path))]
    if asked and not named:
        offered = ", ".join(_projectors(variant, own)) or "none"
        raise FileError(f"no projector {asked} is published beside {listing.repo}: there is {offered}")
    return min(named, key=_preference, default=None)


def _projectors(variant: Variant | None, own: Iterable[RemoteFile]) -> list[str]:
    known = [one.quantization for one in (variant.projectors if variant else ())]
    return list(dict.fromkeys([*known, *(quantization(file.path) for file in own)]))


def _preference(file: RemoteFile) -> tuple[int, str]:
    said = quantization(file.path)
    return (_PROJECTORS.index(said) if said in _PROJECTORS else len(_PROJECTORS), file.path)


def _drafter(listing: Listing) -> RemoteFile | None:
    # Copies of higher precision lie in folders.
    found = [file for file in _of_kind(listing, "drafter") if "/" not in file.path]
    return min(found, key=lambda file: file.bytes, default=None)


def _of_kind(listing: Listing, wanted: str) -> Sequence[RemoteFile]:
    return [file for file in listing.files if kind(file.path) == wanted]
