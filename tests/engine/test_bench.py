"""Timing and tuning on the bundled model: what is computed and what is reported; no test asserts a speed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from oracles.pico_onnx import onnx_folder

from edgekit.engine import tune as tune_module
from edgekit.engine.bench import Work, measure, suited
from edgekit.engine.loops import OwnLoop, TimedModel
from edgekit.engine.native import StoppedError, llama
from edgekit.engine.onnx.engine import OnnxEngine
from edgekit.engine.onnx.timed import TimedOnnx
from edgekit.engine.timed_llama import BareLoop, TimedLlama
from edgekit.engine.tune import Trial, Way, tune
from edgekit.errors import UnsupportedError
from edgekit.fit.onnx_plan import OnnxPlan

__all__ = ["onnx_folder"]

WORK = Work(depths=(0, 96), prompt=40, generate=6, repetitions=2)


def silent(done: float, total: float, text: str) -> None:
    return


@pytest.fixture
def engine(q8_engine):
    q8_engine.cache.clear()
    return q8_engine


@pytest.fixture(params=["GGUF", "fp32", "q4"])
def timed(request) -> Iterator[TimedModel]:
    """The bundled model as a file and as a folder of ONNX files."""
    if request.param == "GGUF":
        yield TimedLlama(request.getfixturevalue("engine"))
        return
    folder = request.getfixturevalue("onnx_folder")
    with OnnxEngine.open(OnnxPlan(folder, request.param, context=WORK.context, threads=1)) as opened:
        yield TimedOnnx(opened)


def test_every_test_is_repeated_after_every_depth(timed):
    samples = list(measure(timed, WORK, silent, threading.Event()))
    assert [(one.test, one.depth, one.tokens) for one in samples] == [
        ("prefill", 0, 40),
        ("decode", 0, 6),
        ("prefill", 96, 40),
        ("decode", 96, 6),
    ]
    for one in samples:
        assert len(one.edgekit) == len(one.alone) == 2
        assert all(rate > 0 for rate in (*one.edgekit, *one.alone, one.ratio))


def test_progress_ends_where_the_work_does(timed):
    heard: list[tuple[float, float]] = []
    list(measure(timed, WORK, lambda done, total, text: heard.append((done, total)), threading.Event()))
    assert heard == sorted(heard)
    assert heard[-1] == (WORK.size, WORK.size)


@pytest.mark.parametrize("loop", [OwnLoop, BareLoop])
@pytest.mark.parametrize("test", ["prefill", "decode"])
def test_both_loops_compute_the_same_number_of_tokens(engine, loop, test):
    arguments = (TimedLlama(engine), [5, 6], threading.Event()) if loop is OwnLoop else (engine, threading.Event())
    list(engine.read([[5, 6]]))
    assert getattr(loop(*arguments), test)(list(range(20, 36))) > 0
    memory = llama.llama_get_memory(engine.cache.context)
    assert llama.llama_memory_seq_pos_max(memory, 0) + 1 == 2 + 16


def test_llama_cpps_loop_leaves_the_same_logits_as_ours(engine):
    tokens, rows = list(range(20, 60)), []
    for loop in (OwnLoop(TimedLlama(engine), [], threading.Event()), BareLoop(engine, threading.Event())):
        engine.cache.clear()
        loop.prefill(tokens)
        pointer = llama.llama_get_logits_ith(engine.cache.context, -1)
        rows.append(np.ctypeslib.as_array(pointer, shape=(engine.vocabulary.size,)).copy())
    # Ours computes the last token alone.
    assert np.abs(rows[0] - rows[1]).max() < 0.02 * np.abs(rows[0]).max()


def test_the_cache_goes_back_to_the_depth_before_each_test(engine, monkeypatch):
    depths = []
    read = BareLoop.prefill

    def spying(loop: BareLoop, tokens: list[int]) -> float:
        depths.append(len(engine.cache))
        return read(loop, tokens)

    monkeypatch.setattr(BareLoop, "prefill", spying)
    list(measure(TimedLlama(engine), WORK, silent, threading.Event()))
    assert depths == [0, 0, 96, 96]


def test_stopping_ends_the_timing(engine):
    stop = threading.Event()
    stop.set()
    with pytest.raises(StoppedError):
        list(measure(TimedLlama(engine), Work(depths=(2000,), prompt=2000), silent, stop))


@pytest.mark.parametrize(
    ("context", "depths", "prompt"),
    [(8192, (0, 4096), 512), (4640, (0, 4096), 512), (2048, (0, 1504), 512), (544, (0,), 512), (48, (0,), 16)],
)
def test_the_work_is_cut_to_the_context(context, depths, prompt):
    work = suited(Work(), context)
    assert (work.depths, work.prompt) == (depths, prompt)
    assert work.context <= context


def test_a_context_that_holds_nothing_is_refused():
    with pytest.raises(UnsupportedError, match="a context of 47 tokens is too small"):
        suited(Work(), 47)


@pytest.fixture
def speeds(monkeypatch: pytest.MonkeyPatch) -> dict[Way, tuple[float, float]]:
    """Prefill and decode of each way, for a test to set: the search without its clock."""
    table: dict[Way, tuple[float, float]] = {}
    monkeypatch.setattr(
        tune_module._Search, "_timed", lambda self, way, engine: Trial(way, *table.get(way, (100.0, 10.0)))
    )
    return table


def search(plan, most, **changes):
    return tune(replace(plan, **changes), most, 1000, silent, threading.Event())


def test_the_search_follows_what_helps(q8_plan, speeds):
    best = Way(3, 2, 512, False)
    speeds |= {Way(2, 2, 512, False): (100, 12), Way(3, 2, 512, False): (100, 14), Way(4, 2, 512, False): (100, 13)}
    found = search(q8_plan, 4, threads=1, batch_threads=2, repack=False)
    assert found.best.way == best
    assert found.complete
    tried = [trial.way for trial in found.trials]
    assert tried[:4] == [Way(count, 2, 512, False) for count in (1, 2, 4, 3)]
    assert len(set(tried)) == len(tried)


@pytest.mark.parametrize(
    ("count", "most", "more", "fewer"),
    [(1, 1, [], []), (2, 2, [], [1]), (4, 8, [5, 6, 8], [3, 2, 1]), (16, 24, [17, 20, 24], [15, 12, 8, 4, 1])],
)
def test_threads_to_try(count, most, more, fewer):
    assert tune_module._more(count, most) == more
    assert tune_module._fewer(count) == fewer


def test_the_second_copy_of_the_weights_has_to_be_worth_its_memory(q8_plan, speeds):
    plain, copied = Way(1, 1, 512, False), Way(1, 1, 512, True)
    speeds |= {plain: (100, 10), copied: (100, 10.3)}
    assert search(q8_plan, 1, threads=1, repack=True).best.way == plain
    speeds[copied] = (100, 15)
    assert search(q8_plan, 1, threads=1, repack=True).best.way == copied
    # Where the plan has no room for it, it is not even tried.
    assert copied not in [trial.way for trial in search(q8_plan, 1, threads=1, repack=False).trials]


def test_one_core_tries_no_threads(q8_plan, speeds):
    found = search(q8_plan, 1, threads=None, repack=False)
    assert {(trial.way.threads, trial.way.batch_threads) for trial in found.trials} == {(1, 1)}


def test_a_batch_made_for_pictures_stays(q8_plan, speeds):
    found = search(q8_plan, 1, threads=1, batch=1120, ubatch=1120)
    assert {trial.way.ubatch for trial in found.trials} == {1120}


def test_time_ends_the_search_with_what_was_found(q8_plan, speeds, monkeypatch):
    clock = iter(range(0, 10_000, 40))
    monkeypatch.setattr(tune_module.time, "monotonic", lambda: float(next(clock)))
    found = tune(replace(q8_plan, threads=1, repack=False), 8, 100, silent, threading.Event())
    assert not found.complete
    assert 0 < len(found.trials) < 4
    assert found.best in found.trials


def test_a_real_search_ends_with_a_way_it_tried(q8_plan):
    found = tune(replace(q8_plan, repack=False), 1, 60, silent, threading.Event())
    assert found.best in found.trials
    assert found.best.turn == min(trial.turn for trial in found.trials) or len(found.trials) > 1
    stop = threading.Event()
    stop.set()
    with pytest.raises(StoppedError):
        tune(replace(q8_plan, repack=False), 1, 60, silent, stop)
