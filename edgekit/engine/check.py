"""What must hold before llama.cpp is given a file: damaged headers can end the process in native code."""

from __future__ import annotations

from pathlib import Path

from edgekit.engine.damage import check_blocks, check_numbers, check_types, impossible
from edgekit.engine.towers import check_towers
from edgekit.errors import FileError, UnsupportedError
from edgekit.gguf_header import Header, read_header
from edgekit.gguf_parts import is_further_part, read_parts

_PROJECTOR = "clip"
# Architectures of MTP drafters, which run beside a model only.
DRAFTERS = ("gemma4-assistant",)
_DRAFTED_FOR = "gemma4"


def check_file(path: Path) -> None:
    """Refuse a damaged GGUF, whatever it holds: a text model or a further part of one, a drafter, a projector."""
    header = read_header(path)
    if header.text("general.architecture") == _PROJECTOR:
        _check_encoders(header)
    elif not is_further_part(header):
        check_model(path)


def check_model(path: Path) -> Header:
    """Return the header of a text model, of all its parts; FileError where it is damaged or something else."""
    header = read_parts(path)
    architecture = header.text("general.architecture")
    if architecture is None or not header.tensors:
        raise FileError(f"{path} holds no model: it names no architecture or has no tensors")
    if architecture == _PROJECTOR:
        raise FileError(f"{path} is a projector: name the model it belongs to, and this one with --projector")
    check_numbers(header)
    check_types(header)
    blocks = check_blocks(header, f"{architecture}.block_count", "blk.")
    shared = header.keys.get(f"{architecture}.attention.shared_kv_layers", 0)
    # All of a drafter's read the cache of its model.
    own = 0 if architecture in DRAFTERS else 1
    if not blocks or not isinstance(shared, int) or shared > blocks - own:
        raise FileError(f"{path} is damaged: of {blocks} blocks {shared} share a cache; download or convert it again")
    _check_rotation(header, architecture)
    return header


def check_projector(path: Path, model: Header) -> Header:
    """Return the header of a projector that fits a model; FileError where it does not."""
    header = read_header(path)
    if header.text("general.architecture") != _PROJECTOR or not header.tensors:
        raise FileError(f"{path} is no projector: those are the files named mmproj")
    width = embedding_length(model)
    if projected_lengths(header) != {width}:
        widths = ", ".join(map(str, sorted(projected_lengths(header)))) or "no"
        raise FileError(
            f"{path} belongs to another model: its embeddings have {widths} values, those of {model.path.name} {width}"
        )
    _check_encoders(header)
    return header


def _check_encoders(projector: Header) -> None:
    check_numbers(projector)
    check_types(projector)
    check_towers(projector)


def check_drafter(path: Path, model: Header) -> Header:
    """Return the header of an MTP drafter that fits a model.

    Raises UnsupportedError where one of them is something else, FileError where it is damaged or another model's.
    """
    if model.text("general.architecture") != _DRAFTED_FOR:
        raise UnsupportedError(f"{model.path.name} is no Gemma 4, which MTP drafters are for: leave out --drafter")
    # The header's reader would advise `edgekit convert`, which needs the drafter's own checkpoint.
    if not path.is_file():
        raise FileError(f"{path} is no file: name the GGUF of the MTP drafter, or leave out --drafter")
    kind = read_header(path).text("general.architecture")
    if kind not in DRAFTERS:
        raise UnsupportedError(f"{path} is a {kind}, no Gemma 4 drafter: those are made from -assistant checkpoints")
    header = check_model(path)
    for what, theirs, ours in (
        ("embeddings of {} values", header.keys.get(f"{kind}.embedding_length_out"), embedding_length(model)),
        ("a vocabulary of {}", _vocabulary(header), _vocabulary(model)),
    ):
        if theirs != ours:
            raise FileError(
                f"{path} drafts for another model, with {what.format(theirs)}: {model.path.name} has {ours}; "
                "leave out --drafter, or name the one for this model"
            )
    return header


def check_context(model: Header, context: int) -> None:
    """Refuse a context longer than what the model was trained for; UnsupportedError says how long that is."""
    check_trained(model.path.name, trained_context(model), context)


def check_trained(name: str, trained: int, context: int) -> None:
    """Refuse a context longer than the one a model was trained for, of which 0 says nothing; UnsupportedError."""
    if trained and context > trained:
        raise UnsupportedError(f"a context of {context} tokens: {name} was trained for at most {trained}")


def trained_context(model: Header) -> int:
    """Return how many tokens a model was trained to keep in mind; 0 where its header does not say."""
    length = model.keys.get(f"{model.text('general.architecture')}.context_length")
    return length if isinstance(length, int) else 0


def embedding_length(model: Header) -> int:
    """Return the width of a text model's embeddings."""
    length = model.keys.get(f"{model.text('general.architecture')}.embedding_length")
    return length if isinstance(length, int) else 0


def _vocabulary(model: Header) -> int:
    embeddings = model.tensors.get("token_embd.weight")
    return embeddings.shape[0] if embeddings else 0


def projected_lengths(projector: Header) -> set[int]:
    """Return the widths of the embeddings that a projector makes of pictures and of sounds."""
    found = (projector.keys.get(f"clip.{tower}.projection_dim") for tower in ("vision", "audio"))
    return {length for length in found if isinstance(length, int)}


def _check_rotation(header: Header, architecture: str) -> None:
    """Refuse more turned values than a head has: pairs of values within one head are turned."""
    head = turned = None
    for kind in ("", "_swa"):
        # What a file does not say of its sliding windows holds for them as for all.
        head = header.keys.get(f"{architecture}.attention.key_length{kind}", head)
        turned = header.keys.get(f"{architecture}.rope.dimension_count{kind}", turned)
        if turned is None:
            continue
        widest = turned if head is None else head
        if not isinstance(turned, int) or not isinstance(widest, int) or not 0 < turned <= widest or turned % 2:
            raise impossible(header, f"{architecture}.rope.dimension_count{kind}", turned)
