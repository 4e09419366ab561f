"""The progress bar of work that is counted in bytes: how much, how fast, how much longer."""

from __future__ import annotations

from rich.progress import BarColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Column
from rich.text import Text

_GIB = 1 << 30
_MIB = 1 << 20
# What stands beside the bar: tensors, bytes, rate and time.
_BESIDE = 50
# Bytes and time alone.
_NUMBERS = 24
_TITLE = 12


def byte_columns(width: int) -> list[ProgressColumn]:
    """Return the columns for a terminal of so many columns; the title gives way to the bar."""
    left = width - _BESIDE
    title = left >= _TITLE + 10
    bar = max(6, min(40, left - (_TITLE if title else 0)))
    columns: list[ProgressColumn] = [TextColumn("{task.description}")] if title else []
    if width < _BESIDE + bar:
        # The numbers stay whole, the names of files do not.
        text = Column(no_wrap=True, max_width=max(1, width - _NUMBERS - bar))
        columns += [BarColumn(bar), TextColumn("{task.fields[text]}", table_column=text), _Bytes()]
    else:
        columns += [BarColumn(bar), TextColumn("{task.fields[text]}"), _Bytes(), _Rate()]
    return [*columns, TimeRemainingColumn(compact=True)]


class _Bytes(ProgressColumn):
    def render(self, task: Task) -> Text:
        if not task.total:
            return Text("")
        unit, name = (_GIB, "GiB") if task.total >= _GIB else (_MIB, "MiB")
        return Text(f"{task.completed / unit:.1f}/{task.total / unit:.1f} {name}", no_wrap=True)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed / _MIB:.0f} MiB/s" if speed else "", no_wrap=True)
