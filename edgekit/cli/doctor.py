"""`edgekit doctor`: what is wrong or wasted here, and what mends it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit.cli.options import JsonOption

if TYPE_CHECKING:
    from edgekit.chat.doctor import Diagnosis
    from edgekit.chat.installed import Installed


def command(
    models: Annotated[
        list[Path] | None,
        typer.Argument(
            help="GGUF files to look at; all that are in the Hugging Face cache by default.", metavar="FILE"
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Find what is wrong or wasted: an idle GPU, swap on an SD card, an old template; each with its fix."""
    from edgekit.chat.doctor import diagnose
    from edgekit.cli import output

    found = diagnose(models or ())
    if json:
        output.json_object(_as_json(found))
    else:
        _show(found)


def _show(found: Diagnosis) -> None:
    from rich.text import Text

    from edgekit.cli import output

    for one in found.findings:
        where = f"{one.file.name}: " if one.file else ""
        output.show(Text.assemble(("! ", "bold yellow"), (where, "bold"), one.problem.text))
    files = f"{len(found.files)} GGUF file{'' if len(found.files) == 1 else 's'}" if found.files else "no GGUF file"
    if not found.findings:
        output.show(Text("Nothing to mend."))
    for name, text in _facts(found.installed):
        # Not in columns: commands are to be copied.
        output.show(Text.assemble((f"{name:<16}  ", "bold"), text), whole_lines=True)
    output.hint(f"Looked at this machine, this installation, its build of llama.cpp and {files}.")


def _facts(here: Installed) -> Iterator[tuple[str, str]]:
    from edgekit.installation import command_for

    yield "edgekit", f"{here.edgekit}, {here.kind}, Python {here.python}"
    kernels = f"kernels {here.kernels}, chosen of several" if here.kernels else "compiled for one kind of processor"
    yield "llama.cpp", f"llama-cpp-python {here.llama_cpp}, {kernels}" if here.llama_cpp else "missing"
    for extra, there in here.extras.items():
        yield f"extra {extra}", "is here" if there else f"not installed: {command_for(extra)}"
    if here.completion is not None:
        yield "completion", f"{here.shell} has it" if here.completion else "edgekit --install-completion"
    yield "web page", "its libraries are here" if here.web_page else "its libraries are missing"


def _as_json(found: Diagnosis) -> dict[str, object]:
    return {
        "machine": found.machine,
        "installation": found.installed,
        "files": found.files,
        "findings": [{"name": one.problem.name, "text": one.problem.text, "file": one.file} for one in found.findings],
    }
