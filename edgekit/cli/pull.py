"""`edgekit pull`: bring a model here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgekit.cli import output
from edgekit.cli.completion import published_names
from edgekit.cli.options import JsonOption
from edgekit.errors import UnavailableError

if TYPE_CHECKING:
    from edgekit.chat.pull import Pulled
    from edgekit.chat.wanted import Wanted


_KEPT = ". What arrived is kept: the same command goes on from there."


def command(
    model: Annotated[
        str | None,
        typer.Argument(
            help="A name such as gemma-4-E2B-it:Q4_0, or a Hub repository OWNER/NAME of GGUF files; "
            "what `edgekit pick` recommends if left out.",
            autocompletion=published_names,
        ),
    ] = None,
    quant: Annotated[str, typer.Option(help="Which quantization, as in Q4_K_M.", metavar="Q")] = "",
    projector: Annotated[
        str, typer.Option(help="Which projector: Q8_0, F16, BF16, or none for text alone.", metavar="Q")
    ] = "",
    drafter: Annotated[bool, typer.Option(help="With the MTP drafter, where the repository has one.")] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would come.")] = False,
    json: JsonOption = False,
) -> None:
    """Download a model with its projector into the Hugging Face cache: resumed, checked, never twice."""
    from edgekit.chat.advice import choose
    from edgekit.chat.kept_files import find_kept, kept
    from edgekit.cli.pick import this_machine
    from edgekit.hub.cache import check_cache

    if model is not None and not model.strip():
        raise typer.BadParameter("it is empty: name a model, or leave it out", param_hint="MODEL")
    if model is None and quant:
        raise typer.BadParameter("say of which model", param_hint="--quant")
    name, projector = choose(model, quant, projector, lambda: this_machine(measure=True))
    try:
        if not dry_run:
            check_cache()
        wanted, get = find(name, quant, projector, drafter=drafter), download
    except UnavailableError as problem:
        wanted, get = find_kept(name, quant, problem, projector=projector, drafter=drafter), kept
        output.hint(f"Not compared with the Hub: {problem}.")
    if not json:
        show(wanted)
    came = [] if dry_run else get(wanted)
    if json:
        output.json_object(_as_json(wanted, came))
    elif came:
        _show_end(wanted, came)


def find(name: str, quant: str = "", projector: str = "", *, drafter: bool = True) -> Wanted:
    """Return the files that a name stands for, as the Hub lists them."""
    from functools import lru_cache

    from edgekit.chat.wanted import find_wanted
    from edgekit.hub.remote import look

    look_once = lru_cache(lambda repo: look(repo, lambda text: output.hint(text) if text else None))
    return find_wanted(name, quant, look_once, projector=projector, drafter=drafter)


def show(wanted: Wanted) -> None:
    """Print what comes, and how much of it is still to be downloaded."""
    from rich.table import Table
    from rich.text import Text

    from edgekit.chat.damaged import is_whole
    from edgekit.chat.pull import to_download

    output.show(Text.assemble((wanted.name, "bold"), f" from {wanted.text[0].repo}"))
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(overflow="fold")
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim", no_wrap=True)
    for file in wanted.listed:
        away = "" if file.repo == wanted.text[0].repo else f"from {file.repo}"
        table.add_row(f"  {file.path}", output.size(file.bytes), "is here" if is_whole(file) else away)
    output.show(table)
    left = to_download(wanted)
    output.hint(f"{output.size(left)} to download." if left else "All of it is here.")


def download(wanted: Wanted) -> list[Pulled]:
    """Bring a model's files here and show how far that has come."""
    from edgekit.chat.pull import pull, to_download
    from edgekit.cli.interrupt import orderly_termination
    from edgekit.cli.pull_progress import watching

    try:
        with orderly_termination(), watching() as watch:
            return pull(wanted, watch)
    except KeyboardInterrupt:
        arrived = to_download(wanted) < sum(file.bytes for file in wanted.files)
        output.hint(f"Stopped{_KEPT if arrived else ': nothing had arrived.'}")
        raise typer.Exit(1) from None


def _show_end(wanted: Wanted, came: list[Pulled]) -> None:
    for one in came:
        if one.how == "linked":
            output.hint(f"{one.path.name} is linked to {one.source}: no second copy.")
    if wanted.drafter:
        output.hint(f"Its drafter guesses along, where that is faster: edgekit chat {wanted.name} --drafter auto")
    output.show(f"Ready: edgekit chat {wanted.name}", whole_lines=True)


def _as_json(wanted: Wanted, came: list[Pulled]) -> dict[str, Any]:
    from edgekit.chat.damaged import is_whole
    from edgekit.hub.names import kind

    brought = {one.file: one for one in came}
    return {
        "name": wanted.name,
        "files": [
            {
                "kind": kind(file.path),
                "repo": file.repo,
                "revision": file.commit,
                "file": file.path,
                "bytes": file.bytes,
                "checksum": file.checksum,
                "path": brought[file].path if file in brought else None,
                "how": brought[file].how if file in brought else "here" if is_whole(file) else "missing",
            }
            for file in wanted.listed
        ],
    }
