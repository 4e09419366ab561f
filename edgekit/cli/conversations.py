"""`edgekit conversations`: what was said in `edgekit chat`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit.cli import output
from edgekit.cli.options import JsonOption

if TYPE_CHECKING:
    from edgekit.chat.rows import Summary
    from edgekit.chat.store import Store

app = typer.Typer(
    help="List, show, export, rename and delete the conversations of `edgekit chat`.",
    no_args_is_help=False,
    add_completion=False,
    rich_markup_mode=None,
)
_Id = Annotated[int, typer.Argument(help="Its number in the list.", metavar="ID")]
_Thinking = Annotated[bool, typer.Option("--thinking", help="With what the model thought before it answered.")]


@app.callback(invoke_without_command=True)
def _default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_(None, False)


@app.command("list")
def list_(
    search: Annotated[str | None, typer.Argument(help="Words that a conversation must hold.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List conversations, the last changed first."""
    from edgekit.chat.export import timestamp

    found = _store().summaries(search or "")
    if as_json:
        times = ({"created": timestamp(each.created), "changed": timestamp(each.changed)} for each in found)
        output.json_object({"conversations": [vars(each) | time for each, time in zip(found, times, strict=True)]})
    elif found:
        _show_list(found)
    elif search:
        output.hint(f"No conversation holds {search!r}.")
    else:
        output.hint("There is no conversation yet: `edgekit chat` begins one.")


@app.command()
def show(id: _Id, thinking: _Thinking = False, as_json: JsonOption = False) -> None:
    """Print a conversation as Markdown."""
    from edgekit.chat.export import as_json as in_json
    from edgekit.chat.export import as_markdown
    from edgekit.tui.printable import printable

    saved = _store().whole(id)
    if as_json:
        output.json_object(in_json(saved, thinking=thinking))
    else:
        # What a model writes must not move the cursor of a terminal.
        output.write(printable(as_markdown(saved, thinking)))


@app.command()
def export(
    id: _Id,
    file: Annotated[Path, typer.Argument(help="A new file: JSON where its name ends in .json, else Markdown.")],
    thinking: _Thinking = False,
) -> None:
    """Write a conversation into a file."""
    from edgekit.chat.export import export as write

    write(_store().whole(id), file, thinking=thinking)
    output.hint(f"Wrote {file}.")


@app.command()
def rename(id: _Id, title: Annotated[str, typer.Argument(help="What it is called from now on.")]) -> None:
    """Give a conversation another title."""
    _store().rename(id, title)


@app.command()
def delete(ids: Annotated[list[int], typer.Argument(help="Their numbers in the list.", metavar="ID...")]) -> None:
    """Delete conversations for good."""
    _store().delete(*ids)


def _store() -> Store:
    from edgekit.chat.store import Store

    return Store(say=output.hint)


def _show_list(found: list[Summary]) -> None:
    from datetime import datetime

    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for name, justify in (("ID", "right"), ("Changed", "left"), ("Questions", "right"), ("Title", "left")):
        table.add_column(name, justify=justify, no_wrap=name != "Title")  # type: ignore[arg-type]
    for each in found:
        title = Text(output.plain(each.title + (" (unsent text)" if each.unsent else "")), "bold")
        if each.excerpt:
            title.append(f"\n{output.plain(each.excerpt)}", "dim not bold")
        changed = datetime.fromtimestamp(each.changed).strftime("%Y-%m-%d %H:%M")
        table.add_row(str(each.id), changed, str(each.questions), title)
    output.show(table)
