"""A model that is not here: asked whether to download it, at a terminal."""

from __future__ import annotations

import threading
from pathlib import Path

from edgekit.cli import output
from edgekit.errors import NotHereError


def offer_download(name: str) -> None:
    """Download a model that a name stands for and that is not here, if the person says yes; else raise NotHereError."""
    from edgekit.chat.models_here import find_here
    from edgekit.cli.one_key import has_terminal, one_key

    if Path(name).exists():
        return
    try:
        find_here(name)
        return
    except NotHereError as problem:
        missing = problem
    if not has_terminal():
        raise missing
    output.tell(f"{missing.name} is not on this machine.")
    question = f"Download it now{_size(missing.name)}? [y/n] "
    answer = one_key("yn", lambda: output.tell(question, end=""), threading.Event())
    output.tell(answer)
    if answer != "y":
        raise missing
    from edgekit.chat.advice import choose
    from edgekit.cli.pick import this_machine
    from edgekit.cli.pull import download, find, show
    from edgekit.hub.cache import check_cache

    check_cache()
    name, projector = choose(missing.name, "", "", lambda: this_machine(measure=True))
    wanted = find(name, projector=projector)
    show(wanted)
    download(wanted)


def _size(name: str) -> str:
    """Return what the catalog says of a file's size."""
    from edgekit.catalog.find import files_of, find_variant, split_name

    model, quant = split_name(name)
    variant = find_variant(model)
    known = files_of(variant, quant) if variant and quant else []
    return f" ({output.size(known[0].bytes)} and its projector)" if known and known[0].bytes else ""
