"""The bar of a conversion, and what is said before it."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.progress import Progress

from edgekit.cli.byte_bar import byte_columns
from edgekit.cli.convert_progress import ConvertProgress, words
from edgekit.convert.preflight import Preflight

GIB = 1 << 30
TAKES = Preflight(memory=100 << 20, disk=3 * GIB, free=70 * GIB, tensors=601, seconds=95.4)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_the_bar_fits_into_a_line_with_all_its_numbers(width: int) -> None:
    clock = iter(range(1000))
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    bars = Progress(*byte_columns(width), console=console, auto_refresh=False, get_time=lambda: float(next(clock)))
    task = bars.add_task("Converting", total=58 * GIB, text="")
    for done in range(1, 30):
        bars.update(task, completed=done * GIB, text="601/601 tensors")
    console.print(bars)
    [line] = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert cell_len(line.rstrip()) <= width
    # Where there is less room the bytes and the time come first.
    for part in ("601/601 tensors", "29.0/58.0 GiB", "MiB/s") if width > 50 else ("601", "29.0/58.0 GiB"):
        assert part in line, line
    assert line.rstrip()[-3] == ":", line
    assert ("Converting" in line) == (width > 70)


def test_tensors_are_counted_as_they_are_begun() -> None:
    seen: list[str] = []
    shown = ConvertProgress(lambda done, total, text="": seen.append(text))
    shown.announce(TAKES)
    for name in ("a", "a", "b", "a"):
        shown.advance(1, 4, name)
    assert seen == ["1/601 tensors", "1/601 tensors", "2/601 tensors", "3/601 tensors"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, "a moment"), (0.2, "about 1 s"), (95.4, "about 95 s"), (110, "about 2 minutes"), (7200, "about 2 h 0 min")],
)
def test_memory_disk_and_time_are_said(seconds: float | None, said: str) -> None:
    line = words(replace(TAKES, seconds=seconds))
    assert line == f"It takes at most 100.0 MiB of memory, 3.00 GiB of disk (70.00 GiB free) and {said}."
