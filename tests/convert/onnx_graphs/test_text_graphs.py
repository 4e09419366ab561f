"""The graphs compute what transformers computes: at once, in chunks over what is cached, and step by step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from oracles.onnx_folder import OnnxFolder
from oracles.reference import Reference

from edgekit.convert.job import ConvertJob, convert

Made = Callable[[str], Path]
# More than twice the sliding window.
LENGTH = 150


def prompts(size: int, count: int) -> list[list[int]]:
    dice = np.random.default_rng(0)
    return [[2, *map(int, dice.integers(24, size, LENGTH))] for _ in range(count)]


@pytest.fixture(scope="module")
def pico(checkpoint: Made, tmp_path_factory: pytest.TempPathFactory) -> OnnxFolder:
    folder = tmp_path_factory.mktemp("pico")
    convert(ConvertJob(checkpoint("pico"), folder, quantizations=("fp32",), to="onnx"))
    return OnnxFolder(folder)


@pytest.fixture(scope="module")
def reference(checkpoint: Made) -> Reference:
    return Reference(checkpoint("pico"))


def test_logits_of_twenty_prompts(pico: OnnxFolder, reference: Reference) -> None:
    for ids in prompts(1024, 20):
        wanted = reference.logits(ids)
        pico.forget()
        assert np.abs(pico.logits(ids) - wanted).max() < 1e-3


def test_logits_in_chunks_and_step_by_step(pico: OnnxFolder, reference: Reference) -> None:
    (ids,) = prompts(1024, 1)
    wanted = reference.logits(ids)
    for step in (37, 1):
        pico.forget()
        found = [pico.logits(ids[start : start + step]) for start in range(0, len(ids), step)]
        assert np.abs(np.concatenate(found) - wanted).max() < 1e-3


def test_only_the_wanted_positions_have_logits(pico: OnnxFolder) -> None:
    (ids,) = prompts(1024, 1)
    pico.forget()
    every = pico.logits(ids)
    for kept in (1, 3, 1000):
        pico.forget()
        found = pico.logits(ids, kept)
        assert found.shape == every[-kept:].shape
        assert np.abs(found - every[-kept:]).max() < 1e-4
        # What is left behind does not depend on it.
        assert pico.length == len(ids)
