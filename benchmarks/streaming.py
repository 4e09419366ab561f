"""How long the chat's screen takes for each token of a long answer: ours beside Textual's own Markdown stream.

    python benchmarks/streaming.py [--tokens 20000] [--kind prose|list|code]

Both stream the same answer into the same screen of 80x24. What is printed: seconds for all of it, milliseconds per
token, and the longest time for which the screen could not have answered a key, in the first and in the last quarter.
"""

from __future__ import annotations

import argparse
import asyncio
import time

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


async def measure(shown: Markdown | Prose, pieces: list[str], pause: float) -> tuple[float, list[float]]:
    """Stream the pieces, one every `pause` seconds; return the seconds and how late the loop was."""
    async with StreamApp(shown).run_test(size=(80, 24)):
        stream = Markdown.get_stream(shown) if isinstance(shown, Markdown) else None
        pulse, started = Pulse(), time.perf_counter()
        for number, piece in enumerate(pieces):
            await (stream or shown).write(piece)
            behind = started + (number + 1) * pause - time.perf_counter()
            await asyncio.sleep(max(behind, 0))
        await (stream.stop() if stream else shown.finish())  # type: ignore[union-attr]
        seconds = time.perf_counter() - started
        pulse.stop()
    return seconds, pulse.late


def main() -> None:
    """Measure both sides and print them with their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=20_000)
    parser.add_argument("--rate", type=float, default=1000, help="tokens per second that arrive")
    parser.add_argument("--kind", choices=KINDS, action="append")
    asked = parser.parse_args()
    for kind in asked.kind or KINDS:
        pieces = answer(kind, asked.tokens)
        for name, shown in (("edgekit", Prose()), ("Textual", Markdown())):
            seconds, late = asyncio.run(measure(shown, pieces, 1 / asked.rate))
            quarter = max(len(late) // 4, 1)
            first, last = max(late[:quarter]) * 1000, max(late[-quarter:]) * 1000
            each = seconds * 1000 / len(pieces)
            print(
                f"{kind:<6}{name:<8}{seconds:7.1f} s  {each:6.2f} ms per token  "
                f"longest wait {first:6.0f} ms in the first quarter, {last:6.0f} ms in the last",
                flush=True,
            )


if __name__ == "__main__":
    main()
