"""An Ollama Modelfile, and the files that it names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from edgekit.convert.inspection.gguf import inspect_gguf
from edgekit.convert.inspection.report import Report
from edgekit.convert.ollama import renderer
from edgekit.errors import FileError
from edgekit.gguf_header import read_header
from edgekit.hardware.problem import Problem

_NAMES = (
    *("FROM", "LICENSE", "TEMPLATE", "SYSTEM", "ADAPTER", "DRAFT"),
    *("RENDERER", "PARSER", "PARAMETER", "MESSAGE", "REQUIRES"),
)
_LONGEST = 1 << 20
_SHOWN = 60
# Instructions that are shown; a licence or a system text can be long.
_SHORT = ("FROM", "DRAFT", "ADAPTER", "RENDERER", "PARSER", "REQUIRES", "TEMPLATE", "SYSTEM")


def inspect_modelfile(path: Path) -> Report:
    """Describe a Modelfile and what it names; raises FileError where Ollama would refuse it."""
    instructions = read_modelfile(path)
    reports: list[Report] = []
    found = list(_of_files(path.parent, instructions, reports))
    text = next((report for report in reports if report.kind == "text"), None)
    found += [*_of_instructions(instructions), *_of_renderer(instructions, text), *_of_reports(reports, text)]
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
        rest = path.read_text(encoding="utf-8-sig")[:_LONGEST]
    except (OSError, ValueError) as problem:
        raise FileError(f"{path} cannot be read as text: name a Modelfile, a GGUF or a folder") from problem
    found: list[tuple[str, str]] = []
    while rest := rest.lstrip():
        line = rest.partition("\n")[0].strip()
        if line.startswith("#"):
            rest = rest.partition("\n")[2]
            continue
        name = re.match(r"[A-Za-z]+(?=[ \t])", rest)
        if not name or name[0].upper() not in _NAMES:
            raise FileError(f"{path} is no Modelfile: it has the line {line[:_SHOWN]!r}")
        value, rest = _value(path, rest[name.end() :].lstrip(" \t"))
        found.append((name[0].upper(), value))
    if not any(name == "FROM" for name, _ in found):
        raise FileError(f"{path} is no Modelfile: it has no FROM line")
    return found


def _value(path: Path, rest: str) -> tuple[str, str]:
    for quotes in ('"""', '"'):
        if rest.startswith(quotes):
            # There are no escapes: the first closing quotes end the value.
            inside, closing, after = rest[len(quotes) :].partition(quotes)
            line, _, after = after.partition("\n")
            if not closing or line.strip():
                raise FileError(f"{path}: Ollama finds no end of the text that begins with {rest[:30]!r}")
            return inside, after
    line, _, after = rest.partition("\n")
    return line.strip(), after


def _of_files(folder: Path, instructions: list[tuple[str, str]], reports: list[Report]) -> Iterator[Problem]:
    """Describe the GGUF files into `reports` and yield what is wrong with the paths."""
    for name, value in instructions:
        if name not in ("FROM", "DRAFT"):
            continue
        target = folder / Path(value).expanduser()
        if target.is_file():
            try:
                reports.append(inspect_gguf(target))
            except FileError as problem:
                yield Problem("damaged", str(problem))
        elif target.is_dir():
            continue
        elif value.endswith(".gguf") or value.startswith((".", "/", "~")):
            yield Problem("missing_file", f"{name} {value} is not here: Ollama takes it for a model to download")


def _of_instructions(instructions: list[tuple[str, str]]) -> Iterator[Problem]:
    names = {name for name, _ in instructions}
    for wanted in ("RENDERER", "PARSER"):
        if wanted not in names:
            yield Problem(
                f"no_{wanted.lower()}",
                f"it has no {wanted} line: thoughts and tool calls stand in answers; make it with edgekit modelfile",
            )
    if "ADAPTER" in names:
        yield Problem("adapter", "Ollama takes no adapter for Gemma 4: merge it with edgekit convert --adapter")


def _of_renderer(instructions: list[tuple[str, str]], text: Report | None) -> Iterator[Problem]:
    asked = next((value for name, value in instructions if name == "RENDERER"), None)
    if text is None or text.architecture != "gemma4" or asked is None:
        return
    width = read_header(text.path).keys.get("gemma4.embedding_length_per_layer_input")
    right = renderer(width if isinstance(width, int) else 0)
    if asked not in (right, "gemma4"):
        yield Problem("renderer", f"RENDERER {asked} writes another variant's prompts: this one needs {right}")


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
