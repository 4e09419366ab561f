"""How fast a loaded model reads and writes: edgekit's own loop and, in turns with it, the library's beneath alone."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from edgekit.engine.loops import Loop, OwnLoop, TimedModel
from edgekit.errors import UnsupportedError
from edgekit.fit.samples import Sample, Test

# Hears how much is done, of how much, and in a few words what is being timed.
Progress = Callable[[float, float, str], None]

_SMALLEST_PROMPT = 16
# Reading is about so many times as fast as writing: for the progress bar.
_WRITING = 5


@dataclass(frozen=True)
class Work:
    """What is timed: so many tokens read and so many written after each depth, again and again."""

    depths: tuple[int, ...] = (0, 4096)
    prompt: int = 512
    generate: int = 32
    repetitions: int = 3

    @property
    def context(self) -> int:
        """Return the context that holds it all."""
        return max(self.depths) + self.prompt + self.generate

    @property
    def size(self) -> int:
        """Return how much work it is, in tokens read."""
        turn = self.prompt + _WRITING * self.generate
        return self.prompt + sum(self.depths) + len(self.depths) * 2 * self.repetitions * turn


def suited(work: Work, context: int) -> Work:
    """Return the work cut down to what a context holds; UnsupportedError where that is next to nothing."""
    smallest = _SMALLEST_PROMPT + work.generate
    if context < smallest:
        raise UnsupportedError(f"a context of {context} tokens is too small to time anything: it takes {smallest}")
    prompt = min(work.prompt, context - work.generate)
    room = context - work.generate - prompt
    return replace(work, prompt=prompt, depths=tuple(sorted({min(depth, room) for depth in work.depths})))


def measure(model: TimedModel, work: Work, progress: Progress, stop: threading.Event) -> Iterator[Sample]:
    """Yield prefill and decode after each depth; raises StoppedError when `stop` is set."""
    done = 0.0

    def count(tokens: float, text: str) -> None:
        nonlocal done
        done += tokens
        progress(done, work.size, text)

    # The first time pages of the file are fetched and buffers touched: as llama-bench, not counted.
    _fill(model, random.Random(0).choices(range(model.vocabulary.size), k=work.prompt), count, stop)
    for depth in work.depths:
        yield from _after(depth, model, work, count, stop)


def _after(
    depth: int, model: TimedModel, work: Work, count: Callable[[float, str], None], stop: threading.Event
) -> Iterator[Sample]:
    # Any tokens will do, and the same ones each time: experts and rows of tables are chosen by them.
    draw = random.Random(depth)
    known = draw.choices(range(model.vocabulary.size), k=depth)
    _fill(model, known, count, stop)
    loops: dict[str, Loop] = {"edgekit": OwnLoop(model, known, stop), model.library: model.alone(stop)}
    lengths: dict[Test, int] = {"prefill": work.prompt, "decode": work.generate}
    rates: dict[tuple[str, Test], list[float]] = {(name, test): [] for name in loops for test in lengths}
    for turn in range(work.repetitions):
        tokens = draw.choices(range(model.vocabulary.size), k=work.prompt)
        # In turns, so that neither always comes after the other.
        for name in sorted(loops, reverse=bool(turn % 2)):
            for test, length in lengths.items():
                compute = loops[name].prefill if test == "prefill" else loops[name].decode
                rates[name, test].append(length / compute(tokens[:length]))
                model.go_back()
                count(length * (_WRITING if test == "decode" else 1), f"{name}, {test} after {depth} tokens")
    for test, length in lengths.items():
        yield Sample(test, depth, length, tuple(rates["edgekit", test]), tuple(rates[model.library, test]))


def _fill(model: TimedModel, known: list[int], count: Callable[[float, str], None], stop: threading.Event) -> None:
    model.clear()
    before = 0
    for position in model.read(known, stop) if known else ():
        count(position - before, f"reading {len(known)} tokens first")
        before = position
    model.mark()
