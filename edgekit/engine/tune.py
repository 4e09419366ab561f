"""The settings with which a model runs fastest here: one after the other, each changed while that helps."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from edgekit.engine.engine import Engine
from edgekit.engine.native import llama
from edgekit.engine.threads import physical_cores
from edgekit.engine.timed_llama import BareLoop
from edgekit.fit.plan import Plan

# Hears how much is done, of how much, and in a few words what is being tried.
Progress = Callable[[float, float, str], None]

# A usual turn, whose time the search makes short, and how many of its written tokens a trial computes.
_READ, _WRITTEN, _TRIED = 512, 128, 16
_REPETITIONS = 2
_SMALLER_UBATCHES = (256, 128)
# The share of a turn's time that a change has to save, and a second copy of the weights.
_WORTH_CHANGING, _WORTH_THE_MEMORY = 0.02, 0.05


@dataclass(frozen=True)
class Way:
    """One way to run the model, in the terms of Plan."""

    threads: int
    batch_threads: int
    ubatch: int
    repack: bool


@dataclass(frozen=True)
class Trial:
    """What a way came to, in tokens per second."""

    way: Way
    prefill: float
    decode: float

    @property
    def turn(self) -> float:
        """Return the seconds of a usual turn: 512 tokens read, 128 written."""
        return _READ / self.prefill + _WRITTEN / self.decode


@dataclass(frozen=True)
class Tuning:
    """Every trial in order and the best one."""

    trials: tuple[Trial, ...]
    best: Trial
    # Whether there was time for everything worth trying.
    complete: bool


class _OutOfTimeError(Exception):
    """The next trial would not end in time."""


def tune(plan: Plan, threads: int, seconds: float, progress: Progress, stop: threading.Event) -> Tuning:
    """Search for at most about so many seconds, with up to `threads` threads; raises StoppedError when `stop` is set.

    Where the plan does without the second copy of the weights, because it has no room or no use, so does the search.
    """
    with _Search(plan, seconds, progress, stop) as search:
        try:
            search.run(threads)
        except _OutOfTimeError:
            return Tuning(tuple(search.trials), search.best, complete=False)
        return Tuning(tuple(search.trials), search.best, complete=True)


class _Search:
    def __init__(self, plan: Plan, seconds: float, progress: Progress, stop: threading.Event) -> None:
        self._plan = replace(plan, projector=None, context=_READ + _WRITTEN)
        self._seconds, self._progress, self._stop = seconds, progress, stop
        self._started = time.monotonic()
        self._longest = 0.0
        self._engine: Engine | None = None
        self.trials: list[Trial] = []
        self.best: Trial

    def __enter__(self) -> _Search:
        return self

    def __exit__(self, *_: object) -> None:
        if self._engine:
            self._engine.close()

    def run(self, most: int) -> None:
        plan, count = self._plan, min(self._plan.threads or physical_cores(), most)
        self.best = self._try(Way(count, min(plan.batch_threads or count, most), plan.ubatch, repack=False))
        if plan.repack:
            self._consider(replace(self.best.way, repack=True), _WORTH_THE_MEMORY)
        self._follow("threads", _more(self.best.way.threads, most))
        self._follow("threads", _fewer(self.best.way.threads))
        self._follow("batch_threads", _more(self.best.way.batch_threads, most))
        self._follow("batch_threads", _fewer(self.best.way.batch_threads))
        # A batch that was made to hold a picture in one piece stays as large as it is.
        if plan.ubatch == Plan.ubatch:
            self._follow("ubatch", _SMALLER_UBATCHES)

    def _follow(self, name: str, values: Iterable[int]) -> None:
        """Change one setting as long as that helps; one step that does not is forgiven: cores differ in size."""
        failures = 0
        for value in values:
            way = Way(**{**vars(self.best.way), name: value})
            known = any(trial.way == way for trial in self.trials)
            failures = 0 if not known and self._consider(way, _WORTH_CHANGING) else failures + 1
            if failures == 2:
                return

    def _consider(self, way: Way, worth: float) -> bool:
        trial = self._try(way)
        if trial.turn > self.best.turn * (1 - worth):
            return False
        self.best = trial
        return True

    def _try(self, way: Way) -> Trial:
        now = time.monotonic() - self._started
        if self.trials and now + self._longest > self._seconds:
            raise _OutOfTimeError
        copy = ", repacked" if way.repack else ""
        text = f"{way.threads} and {way.batch_threads} threads, ubatch {way.ubatch}{copy}"
        self._progress(min(now, self._seconds), self._seconds, text)
        trial = self._timed(way, self._opened(way))
        self._longest = max(self._longest, time.monotonic() - self._started - now)
        self.trials.append(trial)
        return trial

    def _opened(self, way: Way) -> Engine:
        plan = replace(self._plan, batch=way.ubatch, **vars(way))
        if self._engine and (self._engine.plan.ubatch, self._engine.plan.repack) == (way.ubatch, way.repack):
            llama.llama_set_n_threads(self._engine.cache.context, way.threads, way.batch_threads)
            return self._engine
        if self._engine:
            self._engine.close()
            self._engine = None
        self._engine = Engine.open(plan)
        return self._engine

    def _timed(self, way: Way, engine: Engine) -> Trial:
        loop, tokens = BareLoop(engine, self._stop), self._tokens(engine)
        seconds: dict[str, float] = {}
        for name, length, compute in (("prefill", _READ, loop.prefill), ("decode", _TRIED, loop.decode)):
            for _ in range(_REPETITIONS):
                engine.cache.clear()
                seconds[name] = min(seconds.get(name, float("inf")), compute(tokens[:length]))
        return Trial(way, _READ / seconds["prefill"], _TRIED / seconds["decode"])

    def _tokens(self, engine: Engine) -> list[int]:
        return random.Random(0).choices(range(engine.vocabulary.size), k=_READ)


def _more(count: int, most: int) -> list[int]:
    return sorted({count + 1, (count + most) // 2, most} & set(range(count + 1, most + 1)))


def _fewer(count: int) -> list[int]:
    return sorted({count - 1, count * 3 // 4, count // 2, count // 4, 1} & set(range(1, count)), reverse=True)
