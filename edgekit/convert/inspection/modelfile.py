"""An Ollama Modelfile, and the files that it names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gguf import Keys

from edgekit.convert.inspection.gguf import inspect_gguf
from edgekit.convert.inspection.report import Report
from edgekit.convert.modelfile import Dialect
from edgekit.convert.modelfile_grammar import read
from edgekit.convert.ollama import dialect
from edgekit.errors import FileError, UnsupportedError
from edgekit.gguf_header import read_header
from edgekit.gguf_parts import is_further_part
from edgekit.hardware.problem import Problem

_LONGEST = 1 << 20
# Instructions that are shown; a licence or a system text can be long.
_SHORT = ("FROM", "DRAFT", "ADAPTER", "RENDERER", "PARSER", "REQUIRES", "TEMPLATE", "SYSTEM")


def inspect_modelfile(path: Path) -> Report:
    """Describe a Modelfile and what it names; raises FileError where Ollama would refuse it."""
    instructions = read_modelfile(path)
    reports: list[Report] = []
    found = list(_of_files(path.parent, instructions, reports))
    text = next((report for report in reports if report.kind == "text"), None)
    found += [*_of_instructions(instructions, _dialect(text), text), *_of_reports(reports, text)]
    return Report(
        path=path,
        kind="modelfile",
        bytes=path.stat().st_size,
        architecture=text.architecture if text else None,
        variant=text.variant if text else None,
        name=text.name if text else None,
        parameters=text.parameters if text else 0,
        quantization=text.quantization if text else None,
        details=_details(instructions),
        problems=found,
    )


def read_modelfile(path: Path) -> list[tuple[str, str]]:
    """Return instructions and their values, as Ollama's parser reads them (parser/parser.go).

    Raises FileError where it would refuse the file.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            text = file.read(_LONGEST)
    except (OSError, ValueError) as problem:
        raise FileError(f"{path} cannot be read as text: name a Modelfile, a GGUF or a folder") from problem
    try:
        return read(text)
    except UnsupportedError as problem:
        raise FileError(f"{path} is no Modelfile: {problem}") from problem


def _of_files(folder: Path, instructions: list[tuple[str, str]], reports: list[Report]) -> Iterator[Problem]:
    """Describe the GGUF files into `reports` and yield what is wrong with the paths."""
    for name, value in instructions:
        if name not in ("FROM", "DRAFT"):
            continue
        target = folder / Path(value).expanduser()
        if target.is_file():
            try:
                # Looked at together with the first part.
                if not is_further_part(read_header(target)):
                    reports.append(inspect_gguf(target))
            except FileError as problem:
                yield Problem("damaged", str(problem))
        elif target.is_dir():
            continue
        elif value.endswith(".gguf") or value.startswith((".", "/", "~")):
            yield Problem("missing_file", f"{name} {value} is not here: Ollama takes it for a model to download")


def _of_instructions(
    instructions: list[tuple[str, str]], wanted: Dialect | None, text: Report | None
) -> Iterator[Problem]:
    names = dict(reversed(instructions))
    # Of a model that is not here nobody can tell; Gemma 4 needs both.
    for missing in ("RENDERER", "PARSER") if wanted or text is None else ():
        if missing not in names:
            yield Problem(
                f"no_{missing.lower()}",
                f"it has no {missing} line: thoughts and tool calls stand in answers; make it with edgekit modelfile",
            )
    if "ADAPTER" in names:
        yield Problem("adapter", "Ollama takes no adapter for Gemma 4: merge it with edgekit convert --adapter")
    asked = names.get("RENDERER")
    if wanted and asked and asked not in (wanted.renderer, "gemma4"):
        yield Problem("renderer", f"RENDERER {asked} writes another model's prompts: this one needs {wanted.renderer}")


def _dialect(text: Report | None) -> Dialect | None:
    if text is None:
        return None
    header = read_header(text.path)
    return dialect(header.keys, header.text(Keys.Tokenizer.CHAT_TEMPLATE))


def _of_reports(reports: list[Report], text: Report | None) -> Iterator[Problem]:
    for report in reports:
        checked = inspect_gguf(report.path, text.path) if text and report.kind == "projector" else report
        yield from (Problem(one.name, f"{report.path.name}: {one.text}") for one in checked.problems)


def _details(instructions: list[tuple[str, str]]) -> dict[str, str]:
    made: dict[str, str] = {}
    for name, value in instructions:
        key = f"PARAMETER {value.partition(' ')[0]}" if name == "PARAMETER" else name
        shown = value.partition(" ")[2].strip() if name == "PARAMETER" else value
        if name in (*_SHORT, "PARAMETER"):
            made[key] = f"{made[key]}, {shown}" if key in made else shown
    return made
