"""The `edgekit` command: its subcommands, and every error turned into one line."""

from __future__ import annotations

import gc
import os
import signal
import sys
from typing import Annotated

import typer

from edgekit import __version__
from edgekit.cli import (
    bench,
    chat,
    conversations,
    convert,
    demo,
    doctor,
    imatrix,
    inspect,
    modelfile,
    models,
    output,
    pick,
    probe,
    pull,
    run,
)
from edgekit.cli.streams import open_streams
from edgekit.errors import explain

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
# Command modules import nothing heavy at their top: `edgekit --help` starts at once.
for module in (probe, pick, pull, convert, imatrix, inspect, modelfile, run, chat, bench, doctor, demo):
    app.command(module.__name__.rpartition(".")[2])(module.command)
app.add_typer(conversations.app, name="conversations")
app.add_typer(models.app, name="models")


def _version(asked: bool) -> None:
    if asked:
        output.write(f"edgekit {__version__}\n")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error and llama.cpp's log.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Gemma 4 on the machine you already have: pick, convert, talk, package.

    Only `pull`, `models updates` and the chat's /pull ask the network.
    """
    if context.invoked_subcommand is None:
        from edgekit.cli import home

        home.show()


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 could not, 2 wrong usage."""
    # Starting makes many objects and no garbage: looking for some takes a tenth of the time of `edgekit pick`.
    gc.set_threshold(50_000)
    open_streams()
    is_process = arguments is None
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments or bool(os.environ.get("EDGEKIT_DEBUG"))
    if debug:
        # The engine and child processes look here.
        os.environ["EDGEKIT_DEBUG"] = "1"
    try:
        app(args=arguments, prog_name="edgekit")
    except Exception as problem:
        if debug:
            raise
        output.error(explain(problem))
        sys.exit(1)
    finally:
        if is_process:
            # While it leaves, Python would answer Ctrl+C with a traceback.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
