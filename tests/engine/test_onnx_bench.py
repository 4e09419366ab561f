"""Timing a folder of ONNX files: what is computed and what is reported; no test asserts a speed."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from oracles.pico_onnx import onnx_folder

from edgekit.engine.bench import Work, measure
from edgekit.engine.loops import OwnLoop
from edgekit.engine.native import StoppedError
from edgekit.engine.onnx.decoder import Decoder
from edgekit.engine.onnx.engine import OnnxEngine
from edgekit.engine.onnx.timed import BareLoop, TimedOnnx
from edgekit.fit.onnx_plan import OnnxPlan

__all__ = ["onnx_folder"]

WORK = Work(depths=(0, 96), prompt=40, generate=6, repetitions=2)
KNOWN, NEW = [5, 6, 7], list(range(20, 60))


@pytest.fixture(params=["fp32", "q4"])
def engine(request, onnx_folder) -> Iterator[OnnxEngine]:
    with OnnxEngine.open(OnnxPlan(onnx_folder, request.param, context=WORK.context, threads=1)) as opened:
        yield opened


def keys(engine: OnnxEngine, length: int) -> list[np.ndarray]:
    """What the cache holds of the first tokens."""
    return [buffer[:, :, :length].copy() for buffer in engine.decoder.keys._buffers.values()]


def test_onnxruntime_alone_computes_what_edgekit_does(engine):
    model, stop = TimedOnnx(engine), threading.Event()
    list(model.read(KNOWN, stop))
    model.mark()
    OwnLoop(model, KNOWN, stop).prefill(NEW)
    ours, length = keys(engine, len(KNOWN) + len(NEW)), len(engine.decoder)
    assert length == len(KNOWN) + len(NEW)
    model.go_back()
    for test in ("prefill", "decode"):
        for buffer in engine.decoder.keys._buffers.values():
            buffer[:, :, len(KNOWN) :] = 0
        getattr(BareLoop(engine, stop), test)(NEW)
        for mine, theirs in zip(ours, keys(engine, length), strict=True):
            # One by one they are summed up in another order, and q4's activations rounded to 8 bits.
            assert np.abs(mine - theirs).max() <= (0 if test == "prefill" else 0.05) * np.abs(mine).max()


def test_every_token_that_is_written_is_computed(engine):
    model, stop = TimedOnnx(engine), threading.Event()
    list(model.read(KNOWN, stop))
    assert OwnLoop(model, KNOWN, stop).decode(NEW) > 0
    assert len(engine.decoder) == len(KNOWN) + len(NEW)


def test_the_cache_goes_back_to_the_depth_before_each_test_and_never_grows(engine, monkeypatch):
    found = []
    for name in ("prefill", "decode"):
        original = getattr(BareLoop, name)

        def spying(loop: BareLoop, tokens: list[int], original=original) -> float:
            decoder: Decoder = engine.decoder
            found.append((len(decoder), decoder.keys.capacity))
            return original(loop, tokens)

        monkeypatch.setattr(BareLoop, name, spying)
    list(measure(TimedOnnx(engine), WORK, lambda done, total, text: None, threading.Event()))
    assert found == [(depth, WORK.context) for depth in (0, 96) for _ in range(4)]


def test_stopping_ends_the_timing(engine):
    stop = threading.Event()
    stop.set()
    with pytest.raises(StoppedError):
        list(measure(TimedOnnx(engine), WORK, lambda done, total, text: None, stop))
    with pytest.raises(StoppedError):
        BareLoop(engine, stop).decode(NEW)
