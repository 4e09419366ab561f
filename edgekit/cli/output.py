"""All printing: data to stdout, hints, progress and errors to stderr, plain text where there is no terminal."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Protocol

from edgekit.cli.streams import has_every_letter

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console, RenderableType
    from rich.progress import Progress, TaskID

# The consoles of progress bars on stderr: what is printed beside one of another console tears it.
_bars: list[Console] = []
GIB = 1 << 30
MIB = 1 << 20


class Step(Protocol):
    """Reports how far a piece of long work has come."""

    def __call__(self, done: float, total: float, text: str = "") -> None:
        """Show that `done` of `total` is finished and, in a few words, what is being worked on."""


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    if stderr and _bars:
        return _bars[-1]
    whole = not (sys.stderr if stderr else sys.stdout).isatty()
    # Names in brackets or colons are names, and no markup.
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=whole)


def plain(text: str) -> str:
    """Return text that a file holds with escapes for what would move the cursor, colour the screen or be no text."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one == "\n" else one.encode("unicode_escape").decode() for one in text)


def show(renderable: RenderableType, *, whole_lines: bool = False) -> None:
    """Print text, a table or a panel to stdout; `whole_lines` leaves breaking to the terminal, for copying commands."""
    _console(stderr=False).print(renderable, soft_wrap=whole_lines or None)


def width() -> int:
    """Return how many columns stdout has; 80 where it is no terminal and nothing else is said."""
    return _console(stderr=False).width


def heading(number: int | None, title: str, text: str = "", seconds: float | None = None) -> None:
    """Print the title of a step, with what it is about and how long it took."""
    from rich.text import Text

    line = Text.assemble("\n", (f"{number}. " if number else "", "bold"), (title, "bold"))
    line.append(f"  {text}" if text else "", "dim").append(f"  {seconds:.1f} s" if seconds is not None else "", "dim")
    show(line)


def pairs(rows: Iterable[tuple[str, str]]) -> None:
    """Print names and what belongs to them in two columns."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column()
    for name, text in rows:
        table.add_row(Text(plain(name), "bold"), Text(plain(text)))
    show(table)


def picture(path: Path, rows: int = 6) -> None:
    """Print a small picture in half blocks, where stdout is a terminal with colours."""
    console = _console(stderr=False)
    if not console.is_terminal or console.no_color:
        return
    from PIL import Image
    from rich.segment import Segment, Segments

    from edgekit.tui.picture import half_blocks

    with Image.open(path) as image:
        image.thumbnail((rows * 6, rows * 2))
        for cells in half_blocks(image):
            console.print(Segments([*cells, Segment.line()]))


def write(text: str) -> None:
    """Write text to stdout as it is, at once: for answers that stream."""
    sys.stdout.write(text)
    sys.stdout.flush()


def tell(text: str, end: str = "\n") -> None:
    """Write text to stderr as it is, without colours: for prompts and for those who hear the screen read."""
    sys.stderr.write(text + end)
    sys.stderr.flush()


def hint(text: str) -> None:
    """Print a suggestion or a warning to stderr, dimmed in a terminal."""
    from rich.text import Text

    _console(stderr=True).print(Text(plain(text), style="dim"))


def aside(text: str) -> None:
    """Stream dimmed text to stderr, for thoughts: only a person at a terminal reads them."""
    from rich.text import Text

    if sys.stderr.isatty():
        _console(stderr=True).print(Text(text, style="dim"), end="", soft_wrap=True)


def error(text: str) -> None:
    """Print one line to stderr: why a command could not go on and what to do."""
    from rich.text import Text

    line = plain(" ".join(text.split()))
    _console(stderr=True).print(Text.assemble(("error: ", "bold red"), line), soft_wrap=True)


def json_object(value: object) -> None:
    """Print one JSON object to stdout, dataclasses and paths included; a number that JSON does not have is null."""
    # A stream without such letters would take others, and a program would read those.
    escaped = not has_every_letter(sys.stdout.encoding or "utf-8")
    try:
        text = json.dumps(value, default=_plain, indent=2, ensure_ascii=escaped, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(value), default=_plain, indent=2, ensure_ascii=escaped)
    # A text of a damaged file may hold halves of letters, which no encoding has.
    sys.stdout.write(text.encode("utf-8", "backslashreplace").decode() + "\n")


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return str(value)


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, (list, tuple)) else value


def size(count: float) -> str:
    """Return a byte count as people read it: MiB below one GiB, GiB above."""
    return f"{count / GIB:.2f} GiB" if count >= GIB else f"{count / MIB:.1f} MiB"


def has_bars() -> bool:
    """Return whether stderr is a terminal that can draw a bar over itself: one of Emacs's shell, or a log, cannot."""
    return sys.stderr.isatty() and not _console(stderr=True).is_dumb_terminal


@contextmanager
def progress(title: str, *, in_bytes: bool = False) -> Iterator[Step]:
    """Show a progress bar on stderr while the body runs; nothing where stderr is no terminal.

    `in_bytes` says that what is done is counted so, and shows the rate.
    """
    with progress_bars(title, in_bytes=in_bytes) as [step]:
        yield step


@contextmanager
def progress_bars(*titles: str, in_bytes: bool = False) -> Iterator[list[Step]]:
    """Show a progress bar on stderr for each title while the body runs; nothing where stderr is no terminal."""
    if not has_bars():
        yield [_unseen] * len(titles)
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from edgekit.cli.byte_bar import byte_columns

    console = _console(stderr=True)
    named = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    columns = byte_columns(console.width) if in_bytes else (*named, TextColumn("{task.fields[text]}"))
    with Progress(*columns, console=console, transient=True) as bars:
        _bars.append(console)
        try:
            yield [_step(bars, bars.add_task(title, total=None, text="")) for title in titles]
        finally:
            _bars.remove(console)


def _unseen(done: float, total: float, text: str = "") -> None:
    """Show nothing."""


def _step(bars: Progress, task: TaskID) -> Step:
    return lambda done, total, text="": bars.update(task, completed=done, total=total, text=text)
