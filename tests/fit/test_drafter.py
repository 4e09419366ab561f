"""Drafters: their weights and working memory against published logs and llama.cpp's dry run beside their model."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from math import prod

import pytest
from oracles.dry_run import Answer, Question, ask
from oracles.header_only import write_drafter, write_header_only

from edgekit.catalog.drafter import drafter_bytes, drafter_tensors
from edgekit.catalog.load import variants
from edgekit.catalog.variant import ModelFile
from edgekit.fit.buffers import drafter_buffer
from edgekit.fit.estimate import Load, estimate
from edgekit.fit.kv_cache import kv_cache
from edgekit.fit.settings import Settings
from edgekit.hardware.machine import Processor

MIB = 1 << 20
VARIANTS = {variant.name: variant for variant in variants()}
SETTINGS = [(8192, 512, 1, "F16"), (8192, 128, 1, "Q8_0"), (32768, 512, 512, "F16")]
# Every tensor starts at a multiple of 32 bytes.
_PADDING = 32 * 60


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, tuple[int, int, int, str]], Answer]:
    folder = tmp_path_factory.mktemp("drafters")
    asked = list(product(VARIANTS, SETTINGS))
    for name, variant in VARIANTS.items():
        write_header_only(variant, "Q4_K_M", folder / name)
        write_drafter(variant, folder / f"{name}-drafter")
    questions = [Question(str(folder / f"{name}-drafter"), *one, target=str(folder / name)) for name, one in asked]
    return dict(zip(asked, ask(questions), strict=True))


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("name", VARIANTS)
def test_memory_is_what_llama_cpp_would_take(answers, name, settings):
    said = answers[name, settings]
    context, ubatch, outputs, cache = settings
    chosen = Settings(context, ubatch, ubatch, cache, cache, outputs=outputs)
    shape, drafter = VARIANTS[name].shape, VARIANTS[name].drafter
    assert drafter
    assert said.cache == 0
    assert said.compute == drafter_buffer(drafter, shape, kv_cache(shape, chosen), chosen)
    written = drafter_bytes(replace(drafter, num_centroids=0), shape, "F16")
    # A dry run of a drafter holds its output matrix once.
    assert 0 <= said.weights - written <= _PADDING


def test_published_drafter_of_e2b():
    # A log of E2B with its assistant at F16: 149.27 MiB; another names 77.99 million parameters.
    shape, drafter = VARIANTS["E2B"].shape, VARIANTS["E2B"].drafter
    assert drafter
    assert drafter_bytes(drafter, shape, "F16") / MIB == pytest.approx(149.27, abs=0.0051)
    parameters = sum(prod(extents) for _, extents in drafter_tensors(drafter, shape))
    assert parameters / 1e6 == pytest.approx(77.99, abs=0.0051)


@pytest.mark.parametrize(("gpu_layers", "places"), [(0, {"file", "host"}), (36, {"gpu"})])
def test_a_drafter_is_a_line_of_the_estimate(gpu_layers, places):
    variant = VARIANTS["E2B"]
    load = Load(variant, ModelFile("Q4_0", ""), drafter=ModelFile("F16", ""))
    lines = estimate(load, Settings(gpu_layers=gpu_layers), Processor("any", "x86_64", 4, 4)).lines
    found = {line.where: line.bytes for line in lines if line.what == "drafter"}
    assert set(found) == places
    assert sum(found.values()) > 149 * MIB
