"""The bundled model in the forms that tests need, converted by edgekit once for a run; import the fixtures by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from oracles.reference import Reference

from edgekit import paths
from edgekit.convert.job import ConvertJob, convert
from edgekit.engine.engine import Engine
from edgekit.fit.plan import Plan


def converted(out: Path, quantization: str, *adapters: Path) -> Plan:
    """Convert the bundled model; the projector is F32 beside F32 and its own type beside others."""
    projector = "F32" if quantization == "F32" else "auto"
    result = convert(ConvertJob(paths.demo_checkpoint(), out, adapters, (quantization,), projector))
    files = {output.kind: output.path for output in result.outputs}
    # A model this small computes faster on one thread than two can meet after every operation.
    return Plan(files["text"], files["projector"], threads=1)


@pytest.fixture(scope="session")
def checkpoint() -> Path:
    return paths.demo_checkpoint()


@pytest.fixture(scope="session")
def reference(checkpoint: Path) -> Reference:
    return Reference(checkpoint)


@pytest.fixture(scope="session")
def f32_plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return converted(tmp_path_factory.mktemp("pico-f32"), "F32")


@pytest.fixture(scope="session")
def q8_plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return converted(tmp_path_factory.mktemp("pico-q8"), "Q8_0")


@pytest.fixture(scope="session")
def exact_engine(f32_plan: Plan) -> Iterator[Engine]:
    """F32 weights and cache, no flash attention, no rearranged weights: llama.cpp at its most exact."""
    plan = replace(f32_plan, cache_type_k="F32", cache_type_v="F32", flash_attention=False, repack=False)
    with Engine.open(plan) as engine:
        yield engine


@pytest.fixture(scope="session")
def q8_engine(q8_plan: Plan) -> Iterator[Engine]:
    with Engine.open(q8_plan) as engine:
        yield engine
