"""`edgekit models`: what was downloaded to this machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgekit.cli import output
from edgekit.cli.completion import names_here
from edgekit.cli.options import JsonOption
from edgekit.errors import EdgekitError, FileError

if TYPE_CHECKING:
    from edgekit.chat.kept import Kept
    from edgekit.chat.models_here import ModelHere

app = typer.Typer(
    help="List and remove downloaded models, and tell of newer revisions.",
    no_args_is_help=False,
    add_completion=False,
    rich_markup_mode=None,
)
_Names = Annotated[
    list[str], typer.Argument(help="Names as the list has them.", metavar="NAME...", autocompletion=names_here)
]
_FITS = {True: "yes", False: "no", None: "?"}


@app.callback(invoke_without_command=True)
def _default(context: typer.Context, json: JsonOption = False) -> None:
    if context.invoked_subcommand is None:
        list_(json)
    elif json:
        raise typer.BadParameter(f"write it behind {context.invoked_subcommand}", param_hint="--json")


@app.command("list")
def list_(json: JsonOption = False) -> None:
    """List the models here: size, last use, chat template, whether they fit into memory now. Asks no network."""
    from edgekit.chat.doctor import LOST_FIX
    from edgekit.chat.kept import DAMAGED, kept_models
    from edgekit.hardware.probe import probe
    from edgekit.hub.removal import lost, unfinished

    found, broken, gone = kept_models(probe()), unfinished(), lost()
    if json:
        left = [{"path": path, "bytes": path.stat().st_size} for path in broken]
        output.json_object({"models": [_as_json(one) for one in found], "unfinished": left, "lost": gone})
        return
    if found:
        _show(found)
    else:
        output.hint("No model was downloaded yet: `edgekit pull` gets the one that suits this machine.")
    for name in (one.model.name for one in found if one.template == DAMAGED):
        ways = f"`edgekit pull {name}` gets it anew, `edgekit models remove {name}` removes it"
        output.hint(f"{name} is damaged: {ways}.")
    if gone:
        names = ", ".join(path.name for path in gone)
        output.hint(f"Gone from where it was linked: {names}: {LOST_FIX}.")
    if broken:
        kept = output.size(sum(path.stat().st_size for path in broken))
        output.hint(
            f"{kept} of unfinished downloads: `edgekit pull` goes on with them, `edgekit models clean` removes them."
        )


@app.command()
def updates(json: JsonOption = False) -> None:
    """Ask the Hub which models have a newer revision."""
    from functools import lru_cache

    from edgekit.chat.kept import newer
    from edgekit.chat.models_here import models_here
    from edgekit.hub.remote import look

    found, unknown = newer(models_here(), lru_cache(look))
    if json:
        newer_ones = [{"name": one.name, "repo": one.repo, "revision": one.commit} for one in found]
        output.json_object({"newer": newer_ones, "unknown": unknown})
        return
    for one in found:
        output.show(f"{one.name} has a newer revision: edgekit pull {one.name}", whole_lines=True)
    for name, why in unknown.items():
        output.hint(f"{name}: {why}")
    if not found:
        output.show(f"No {'other ' if unknown else ''}model here has a newer revision.")


@app.command()
def remove(names: _Names, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Remove models, with the projectors and drafters that no other model uses."""
    from edgekit.chat.kept import remove_model
    from edgekit.chat.models_here import models_here

    here = models_here()
    chosen = [_named(name, here) for name in dict.fromkeys(names)]
    listed = ", ".join(f"{one.name} ({output.size(one.bytes)})" for one in chosen)
    whole = sum(one.bytes for one in chosen)
    if not yes:
        _ask(f"Remove {listed}?")
    left, freed = here, 0
    for model in chosen:
        left = [one for one in left if one != model]
        freed += remove_model(model, left)
    why = "; another name or program has the same file and keeps it" if freed < whole else ""
    output.hint(f"Removed {listed}: {output.size(freed)} are free now{why}.")


@app.command()
def clean(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Remove downloads that broke off, older revisions of files that came anew, and names whose file is gone."""
    from edgekit.hub.cache import repos
    from edgekit.hub.removal import lost, remove_lost, remove_superseded, remove_unfinished, superseded, unfinished

    if not unfinished() and not lost() and not any(superseded(repo) for repo in repos()):
        output.hint("There is nothing to remove.")
        return
    if not yes:
        _ask("Remove unfinished downloads, older revisions and names whose file is gone?")
    output.hint(f"{output.size(remove_unfinished() + remove_superseded() + remove_lost())} are free now.")


def _named(name: str, here: list[ModelHere]) -> ModelHere:
    found = next((one for one in here if name.lower() == one.name.lower()), None)
    if found is None:
        known = ", ".join(one.name for one in here) or "none"
        raise FileError(f"there is no model {name} here: there is {known}")
    return found


def _ask(question: str) -> None:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise EdgekitError("nobody can be asked here: say --yes to remove")
    output.tell(f"{question} [y/N] ", end="")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise EdgekitError("nothing was removed")


def _show(found: list[Kept]) -> None:
    from datetime import datetime

    from rich.table import Table
    from rich.text import Text

    table = Table("Model", box=None, pad_edge=False, header_style="dim")
    for title in ("Size", "Projector", "Used", "Template", "Fits"):
        table.add_column(title, justify="right" if title in ("Size", "Projector") else "left", no_wrap=True)
    for one in found:
        used = datetime.fromtimestamp(one.model.used).strftime("%Y-%m-%d")
        projector = output.size(one.projector.stat().st_size) if one.projector else "-"
        name = Text(output.plain(one.model.name), "bold")
        fits = Text(_FITS[one.fits], "" if one.fits else "red")
        table.add_row(name, output.size(one.model.bytes), projector, used, one.template, fits)
    output.show(table)


def _as_json(one: Kept) -> dict[str, Any]:
    return {
        "name": one.model.name,
        "repo": one.model.repo,
        "revision": one.model.commit,
        "file": one.model.file,
        "paths": one.model.paths,
        "bytes": one.model.bytes,
        "projector": one.projector,
        "used": one.model.used,
        "template": one.template,
        "fits": one.fits,
    }
