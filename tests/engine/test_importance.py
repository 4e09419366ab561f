"""The importance matrix that our engine measures, against the same sums taken in transformers."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from oracles import deep_checkpoints
from oracles.reference import relative_rms
from oracles.squares import squares

from edgekit import paths
from edgekit.convert.job import ConvertJob, convert
from edgekit.engine.engine import Engine
from edgekit.engine.imatrix import Squares, collect
from edgekit.engine.native import StoppedError
from edgekit.errors import UnsupportedError
from edgekit.fit.plan import Plan

TEXTS = ["A red circle above a green square. " * 20, "I hear the digit seven, and then a long silence. " * 20]
CHUNK = 96


def silent(_done: float, _total: float, _text: str) -> None:
    pass


def measure(plan: Plan, **options: object) -> tuple[dict[str, Squares], int]:
    return collect(plan, TEXTS, chunk=CHUNK, progress=silent, **options)  # type: ignore[arg-type]


def exact(plan: Plan) -> Plan:
    return replace(
        plan, cache_type_k="F32", cache_type_v="F32", flash_attention=False, repack=False, projector=None, context=1024
    )


def pieces(plan: Plan) -> list[list[int]]:
    with Engine.open(exact(plan)) as engine:
        bos, vocabulary = engine.vocabulary.bos, engine.vocabulary
        tokens = [token for text in TEXTS for token in [bos, *vocabulary.tokenize(text, control=False)]]
    starts = range(0, len(tokens) - CHUNK + 1, CHUNK)
    return [[bos, *tokens[start + 1 : start + CHUNK]] for start in starts]


@pytest.fixture(scope="module")
def experts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Plan]:
    """A random model of four experts, two for a token: its checkpoint and its F32 file."""
    folder = tmp_path_factory.mktemp("experts")
    checkpoint = deep_checkpoints.write(folder / "checkpoint", "experts")
    made = convert(ConvertJob(checkpoint, folder / "out", (), ("F32",), "none"))
    return checkpoint, Plan(made.outputs[0].path, threads=1)


def compare(found: dict[str, Squares], checkpoint: Path, plan: Plan) -> float:
    """Return the largest error of any weight's sums; every weight that transformers uses must have some."""
    wanted = squares(checkpoint, pieces(plan))
    assert found.keys() == wanted.sums.keys()
    for name, seen in found.items():
        assert np.array_equal(seen.counts, wanted.counts[name]), name
    return max(relative_rms(seen.sums, wanted.sums[name]) for name, seen in found.items())


def test_pico_sees_what_transformers_sees(f32_plan: Plan) -> None:
    found, count = measure(exact(f32_plan))
    assert count >= 4
    # ggml's GELU is a table of half precision.
    assert compare(found, paths.demo_checkpoint(), f32_plan) < 1e-3


def test_experts_see_what_transformers_sees(experts: tuple[Path, Plan]) -> None:
    checkpoint, plan = experts
    found, _ = measure(exact(plan))
    assert found["blk.0.ffn_gate_up_exps.weight"].sums.shape == (4, 256)
    assert found["blk.0.ffn_down_exps.weight"].sums.shape == (4, 96)
    assert compare(found, checkpoint, plan) < 1e-3


def test_a_piece_longer_than_a_batch_counts_the_same(f32_plan: Plan) -> None:
    whole, count = collect(exact(f32_plan), TEXTS, chunk=200, progress=silent)
    wanted = {name: seen.counts.sum() for name, seen in whole.items()}
    assert set(wanted.values()) == {count * 200}


def test_at_most_so_many_pieces_are_read(f32_plan: Plan) -> None:
    found, count = measure(exact(f32_plan), limit=2)
    assert count == 2
    assert {int(seen.counts[0]) for seen in found.values()} == {2 * CHUNK}


def test_texts_that_are_too_short_are_refused(f32_plan: Plan) -> None:
    with pytest.raises(UnsupportedError, match="fewer than 512 tokens"):
        collect(f32_plan, ["Only this."], chunk=512, progress=silent)


def test_it_stops_when_told_to(f32_plan: Plan) -> None:
    stop = threading.Event()
    heard: list[float] = []

    def progress(done: float, _total: float, _text: str) -> None:
        heard.append(done)
        stop.set()

    with pytest.raises(StoppedError):
        collect(f32_plan, TEXTS, chunk=CHUNK, progress=progress, stop=stop)
    assert heard == [CHUNK]


def test_what_is_raised_while_it_computes_is_not_lost(f32_plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("edgekit.engine.imatrix.values", interrupt)
    with pytest.raises(KeyboardInterrupt):
        measure(f32_plan)
