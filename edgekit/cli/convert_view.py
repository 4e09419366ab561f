"""How a conversion looks: its files, what became of the adapters, and the next command."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from rich.table import Table
from rich.text import Text

from edgekit.cli import output
from edgekit.cli.convert_progress import words
from edgekit.convert.adapter import LedgerEntry
from edgekit.convert.job import ConvertResult
from edgekit.convert.output import Output

# Lines that say why something was not merged, or how.
_MOST_REASONS = 8


def show(result: ConvertResult, beside: Sequence[Output] = (), *, dry_run: bool) -> None:
    """Print a conversion for people, with what is written beside it."""
    folder = result.outputs[-1].path.parent
    output.show(Text(f"In {folder}:", style="dim"))
    output.show(_table([*result.outputs, *beside], folder))
    if result.ledger:
        output.show("")
    for line in _ledger(result.ledger):
        output.show(output.plain(line))
    if dry_run:
        output.show(words(result.preflight))
        output.hint("A dry run: everything was checked and nothing was written.")
        return
    output.hint(f"{result.seconds:.1f} s, at most {output.size(result.peak_memory)} of memory.")
    output.hint(f"Next: {_next(result.outputs)}")


def _next(outputs: Sequence[Output]) -> str:
    made = outputs[0]
    if made.kind == "onnx":
        folder = shlex.quote(str(outputs[-1].path.parent))
        command = f'edgekit run {folder}{_kept(outputs)} "Who are you?"'
        return f"{command}, or load it with onnxruntime-genai or transformers.js"
    if made.kind == "checkpoint":
        return f"edgekit convert {shlex.quote(str(made.path.parent))}, or load that folder in vLLM, MLX or transformers"
    if made.kind == "drafter":
        return f"edgekit modelfile MODEL.gguf --drafter {shlex.quote(str(made.path))}"
    return f'edgekit run {_argument(made.path)} "Who are you?"'


def _argument(path: Path) -> str:
    """Return a path as a shell takes it for an argument, and no option."""
    return shlex.quote(f"./{path}" if str(path).startswith("-") else str(path))


def _kept(outputs: Sequence[Output]) -> str:
    """Return the options that switch the first adapter on that was kept apart; none where there is none."""
    kept = [str(made.path) for made in outputs if made.path.suffix == ".onnx_adapter"]
    precisions = list(dict.fromkeys(made.quantization for made in outputs if made.quantization))
    # The first file has the floats of the first precision, and run takes another one of several.
    quant = f" --quant {precisions[0]}" if len(precisions) > 1 else ""
    return f"{quant} --adapter {shlex.quote(kept[0])}" if kept else ""


def _table(outputs: Sequence[Output], folder: Path) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("File", overflow="fold")
    table.add_column("Kind", no_wrap=True)
    table.add_column("Quantization", no_wrap=True)
    table.add_column("Size", no_wrap=True, justify="right")
    for made in outputs:
        table.add_row(
            Text(str(made.path.relative_to(folder)), style="bold"),
            made.kind,
            made.quantization or "",
            _size(made.bytes),
        )
    return table


def _size(count: int) -> str:
    return output.size(count) if count >= output.MIB // 10 else f"{count} B"


def _ledger(ledger: list[LedgerEntry]) -> list[str]:
    merged = [entry for entry in ledger if entry.status == "merged"]
    kept = sum(entry.status == "kept" for entry in ledger)
    lines = [f"{len(merged)} of {len(ledger)} adapter tensors merged{_change(merged)}"] if len(ledger) > kept else []
    lines += [f"{kept} kept in files of their own"] if kept else []
    others = Counter(_fate(one) for one in ledger if one.status not in ("merged", "kept") or one.reason)
    lines += [f"{count} {fate}" for fate, count in others.most_common(_MOST_REASONS)]
    left = sum(others.values()) - sum(count for _, count in others.most_common(_MOST_REASONS))
    return [*lines, f"{left} for other reasons: see --json"] if left else lines


def _fate(entry: LedgerEntry) -> str:
    # A key that was left out is a loss, and is worth its name.
    return (
        f"{entry.status}: {entry.key}: {entry.reason}"
        if entry.status == "refused"
        else f"{entry.status}: {entry.reason}"
    )


def _change(merged: list[LedgerEntry]) -> str:
    changes = [entry.relative_change for entry in merged if entry.relative_change is not None]
    if not changes:
        return ""
    return f"; they change weights by {min(changes):.2%} to {max(changes):.2%}, {median(changes):.2%} in the middle"
