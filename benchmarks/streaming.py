"""How long the chat's screen takes for each token of a long answer: ours beside Textual's own Markdown stream.

    python benchmarks/streaming.py [--tokens 20000] [--kind prose|list|code] [--ours]

Both stream the same answer into the same screen of 80x24. What is printed: seconds for all of it, and for the first and
the last quarter milliseconds of the processor per token that is shown, and the longest time for which the screen could
not have answered a key. Textual's own takes many minutes: --ours leaves it out.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import NamedTuple

from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Markdown

from edgekit.tui.prose import Prose

KINDS = ("prose", "list", "code")


def answer(kind: str, tokens: int) -> list[str]:
    """Return an answer in pieces of a token each, about four characters."""
    text = {"prose": _prose, "list": _list, "code": _code}[kind](tokens * 4)[: tokens * 4]
    return [text[start : start + 4] for start in range(0, len(text), 4)]


def _prose(length: int) -> str:
    section = "## Part {}\n\n" + "A sentence about *something* with `code` in it, and more. " * 6 + "\n\n"
    section += "- one\n- two\n- three\n\n```python\nfor one in range(10):\n    print(one)\n```\n\n"
    return "".join(section.format(number) for number in range(length // 400 + 1))


def _list(length: int) -> str:
    return "".join(f"- item {number} with **some** words to read\n" for number in range(length // 30 + 1))


def _code(length: int) -> str:
    lines = "".join(f"    total_{number} = compute(number={number})\n" for number in range(length // 30 + 1))
    return f"```python\n{lines}"


class StreamApp(App[None]):
    """A scrolling conversation with one answer."""

    CSS_PATH = "../edgekit/tui/prose.tcss"

    def __init__(self, shown: Markdown | Prose) -> None:
        super().__init__()
        self._shown = shown

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with VerticalScroll() as conversation:
            conversation.anchor()
            yield self._shown


class Pulse:
    """Measures how late the event loop is: what a key pressed at that moment would have waited."""

    def __init__(self) -> None:
        self.late: list[float] = []
        self._task = asyncio.create_task(self._beat())

    async def _beat(self) -> None:
        while True:
            due = time.perf_counter() + 0.005
            await asyncio.sleep(0.005)
            self.late.append(time.perf_counter() - due)

    def stop(self) -> None:
        """End it."""
        self._task.cancel()


async def _shown(shown: Markdown | Prose, text: str) -> None:
    """Wait until all that was written is shown: what is behind would count for a later quarter."""
    while len(shown.source) < len(text):
        await asyncio.sleep(0.02)


class Measured(NamedTuple):
    """Seconds, how late the loop was, and seconds of the processor for the first and the last quarter."""

    seconds: float
    late: list[float]
    first: float
    last: float


async def measure(shown: Markdown | Prose, pieces: list[str], pause: float) -> Measured:
    """Stream the pieces, one every `pause` seconds."""
    quarter, marks = len(pieces) // 4, []
    async with StreamApp(shown).run_test(size=(80, 24)):
        stream = Markdown.get_stream(shown) if isinstance(shown, Markdown) else None
        pulse, started = Pulse(), time.perf_counter()
        for number, piece in enumerate(pieces):
            if number in (0, quarter, len(pieces) - quarter):
                await _shown(shown, "".join(pieces[:number]))
                marks.append(time.process_time())
            await (stream or shown).write(piece)
            behind = started + (number + 1) * pause - time.perf_counter()
            await asyncio.sleep(max(behind, 0))
        await (stream.stop() if stream else shown.finish())  # type: ignore[union-attr]
        seconds = time.perf_counter() - started
        marks.append(time.process_time())
        pulse.stop()
    return Measured(seconds, pulse.late, marks[1] - marks[0], marks[3] - marks[2])


def main() -> None:
    """Measure both sides and print them with their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=20_000)
    parser.add_argument("--rate", type=float, default=1000, help="tokens per second that arrive")
    parser.add_argument("--kind", choices=KINDS, action="append")
    parser.add_argument("--ours", action="store_true", help="only edgekit's side")
    asked = parser.parse_args()
    for kind in asked.kind or KINDS:
        pieces = answer(kind, asked.tokens)
        sides = [("edgekit", Prose())] if asked.ours else [("edgekit", Prose()), ("Textual", Markdown())]
        for name, shown in sides:
            print(
                f"{kind:<6}{name:<8}{_line(asyncio.run(measure(shown, pieces, 1 / asked.rate)), len(pieces))}",
                flush=True,
            )


def _line(found: Measured, tokens: int) -> str:
    late = found.late
    quarter = max(len(late) // 4, 1)
    first, last = (each * 1000 / (tokens // 4) for each in (found.first, found.last))
    waits = [max(part) * 1000 for part in (late[:quarter], late[-quarter:])]
    return (
        f"{found.seconds:7.1f} s  processor per token {first:5.2f} ms in the first quarter, {last:5.2f} ms in the last "
        f"({last / first:.2f}x)  longest wait {waits[0]:4.0f} ms, {waits[1]:4.0f} ms"
    )


if __name__ == "__main__":
    main()
