"""How a download looks: a bar for the file and one for all, or a line now and then where there is no terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from edgekit.chat.pull import Arrival, Watch
from edgekit.cli import output

_LINES_PER_FILE = 10
# Not more often than this either, for small files.
_SECONDS = 5.0


@contextmanager
def watching() -> Iterator[Watch]:
    """Show on stderr what a pull reports while the body runs."""
    if not output.has_bars():
        yield _Lines()
        return
    with output.progress_bars("This file", "All", in_bytes=True) as [one, every]:

        def show(arrival: Arrival) -> None:
            one(arrival.done, arrival.file.bytes, arrival.text or _short(arrival))
            every(arrival.all_done, arrival.all_bytes)

        yield show


def _short(arrival: Arrival) -> str:
    name = arrival.file.path.rpartition("/")[2]
    return name if len(name) <= 28 else f"{name[:12]}…{name[-15:]}"


class _Lines:
    """Writes a line when a file begins, at every tenth of it, at its end, and when something is waited for."""

    def __init__(self) -> None:
        self._last: tuple[str, int, str] = ("", 0, "")
        self._since = 0.0

    def __call__(self, arrival: Arrival) -> None:
        file, now = arrival.file, time.monotonic()
        tenth = arrival.done * _LINES_PER_FILE // max(1, file.bytes)
        path, before, text = self._last
        is_new, is_said = path != file.path, bool(arrival.text) and arrival.text != text
        grew = tenth > before and (now - self._since >= _SECONDS or arrival.done == file.bytes)
        if not (is_new or is_said or grew):
            return
        self._last, self._since = (file.path, tenth, arrival.text), now
        share = f"{arrival.done / max(1, file.bytes):4.0%} of {output.size(file.bytes)}"
        all_share = f"{arrival.all_done / max(1, arrival.all_bytes):.0%} of all"
        output.tell(output.plain(f"{file.path}: {arrival.text or f'{share}, {all_share}'}"))
