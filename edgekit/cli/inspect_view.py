"""How an inspected file and a comparison look: a screenful."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from edgekit.cli import output
from edgekit.convert.inspection import Comparison, Report
from edgekit.convert.inspection.comparison import KeyDifference, TensorDifference

_KINDS = {"text": "model", "imatrix": "importance matrix", "modelfile": "Modelfile", "onnx": "ONNX folder"}
_TEMPLATES = {
    "none": "none",
    "own": "of its own",
    "current": "Gemma 4's current one",
    "old": "Gemma 4's before 2026-04-11",
}
_WHAT = {
    "only_first": "only in the first",
    "only_second": "only in the second",
    "shape": "of another shape",
    "type": "of another type",
    "values": "with other values",
}
# A screen has room for these; --json has all.
_MOST_ROWS = 10
_LONGEST = 100


def show(report: Report) -> None:
    """Print a report for people."""
    output.show(Text.assemble((report.path.name or str(report.path), "bold"), f": {output.plain(_what(report))}"))
    output.pairs(_facts(report))
    if report.tensors:
        output.show("")
        output.show(_tensors(report))
    output.show("")
    if not report.problems:
        output.show("No problems found.")
    for problem in report.problems:
        output.show(Text.assemble(("Problem: ", "bold red"), output.plain(problem.text), (f" [{problem.name}]", "dim")))


def _what(report: Report) -> str:
    kind = _KINDS.get(report.kind, report.kind)
    of = f"Gemma 4 {report.variant}" if report.variant else report.architecture
    return f"{kind} of {of}" if report.kind in ("projector", "drafter") and of else f"{of} {kind}" if of else kind


def _facts(report: Report) -> Iterable[tuple[str, str]]:
    yield "Size", _size(report.bytes)
    named = {
        "Name": report.name,
        "Architecture": report.architecture,
        "Parameters": _count(report.parameters) if report.parameters else None,
        "Quantization": report.quantization,
        "Context": f"{report.context} tokens" if report.context else None,
        "Chat template": _TEMPLATES[report.template] if report.template else None,
        "Base": report.base,
        "Adapters": ", ".join(report.adapters),
    }
    yield from ((name, text) for name, text in named.items() if text)
    for name, text in report.details.items():
        yield name[0].upper() + name[1:], _short(text)


def _tensors(report: Report) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("Tensors", "Type"):
        table.add_column(name, no_wrap=True)
    for name in ("Count", "Parameters", "Size"):
        table.add_column(name, no_wrap=True, justify="right")
    for group in report.tensors:
        named = output.plain(group.part), output.plain(group.type)
        table.add_row(*named, str(group.count), _count(group.parameters), _size(group.bytes))
    return table


def show_comparison(comparison: Comparison) -> None:
    """Print a comparison for people."""
    output.show(Text(f"{comparison.first} and {comparison.second}", style="bold"))
    if comparison.is_same:
        output.show(f"The same: {comparison.equal} tensors and all metadata.")
        return
    output.show(f"{comparison.equal} tensors are equal, byte by byte.")
    for what, count in Counter(one.what for one in comparison.tensors).items():
        output.show(f"{count} {_WHAT[what]}.")
    if comparison.tensors:
        output.show(_differences(comparison.tensors))
    if comparison.metadata:
        output.show("")
        output.show(_keys(comparison.metadata))
    hidden = sum(max(0, len(listed) - _MOST_ROWS) for listed in (comparison.tensors, comparison.metadata))
    if hidden:
        output.hint(f"{hidden} more rows with --json.")


def _differences(tensors: list[TensorDifference]) -> Table:
    """Show the largest first."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("Tensor", overflow="fold")
    for name in ("First", "Second"):
        table.add_column(name)
    table.add_column("Difference", no_wrap=True, justify="right")
    for one in sorted(tensors, key=lambda one: -(one.relative_difference or 0))[:_MOST_ROWS]:
        sides = [
            f"{type} {list(shape or ())}" if type else "-" for type, shape in zip(one.types, one.shapes, strict=True)
        ]
        relative = one.relative_difference
        table.add_row(output.plain(one.name), *sides, "" if relative is None else f"{relative:.2e}")
    return table


def _keys(metadata: list[KeyDifference]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("Metadata", overflow="fold")
    for name in ("First", "Second"):
        table.add_column(name, overflow="fold")
    for one in metadata[:_MOST_ROWS]:
        sides = ("-" if value is None else output.plain(_short(str(value))) for value in (one.first, one.second))
        table.add_row(output.plain(one.key), *sides)
    return table


def _count(count: int) -> str:
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "K")):
        if count >= size:
            return f"{count / size:.2f} {unit}"
    return str(count)


def _size(count: int) -> str:
    return output.size(count) if count >= output.MIB // 10 else f"{count} B"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."
