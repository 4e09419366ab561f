"""The KV cache and llama.cpp's buffers against its own dry run: all five variants, to the byte."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from oracles.dry_run import Answer, Question, ask
from oracles.header_only import write_header_only

from edgekit.catalog.load import variants
from edgekit.fit.buffers import compute_buffer, output_buffer
from edgekit.fit.kv_cache import kv_cache
from edgekit.fit.settings import Settings

MIB = 1 << 20
VARIANTS = {variant.name: variant for variant in variants()}
# Every setting that the estimates are judged by, and others that edgekit or a person may choose.
QUESTIONS = [
    *(
        Question("", context, ubatch, outputs, cache)
        for context, ubatch, cache, outputs in product(
            (2048, 8192, 32768, 131072), (128, 512), ("F16", "Q8_0"), (1, 512)
        )
    ),
    Question("", 8192, 1120, 1, "Q8_0"),
    Question("", 8192, 1120, 64),
    Question("", 4096, 512, 512, swa_full=True),
    Question("", 4096, 64, 16, "Q4_0"),
    Question("", 300, 512, 1),
    Question("", 8192, 512, 512, flash_attention=False),
    Question("", 2048, 128, 1, flash_attention=False),
    Question("", 8192, 512, 8, sequences=4),
]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, Question], Answer]:
    folder: Path = tmp_path_factory.mktemp("header-only")
    asked = []
    for variant in VARIANTS.values():
        write_header_only(variant, "Q4_K_M", folder / variant.name)
        asked += [(variant.name, replace(one, file=str(folder / variant.name))) for one in QUESTIONS]
    found = ask([question for _, question in asked])
    return {(name, replace(one, file="")): answer for (name, one), answer in zip(asked, found, strict=True)}


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda one: "-".join(map(str, vars(one).values()))[1:])
@pytest.mark.parametrize("name", VARIANTS)
def test_memory_is_what_llama_cpp_would_take(answers, name, question):
    said = answers[name, question]
    settings = Settings(
        context=question.context,
        batch=question.ubatch,
        ubatch=question.ubatch,
        cache_type_k=question.cache,
        cache_type_v=question.cache,
        flash_attention=question.flash_attention,
        swa_full=question.swa_full,
        sequences=question.sequences,
        outputs=question.outputs,
    )
    shape = VARIANTS[name].shape
    cache = kv_cache(shape, settings)
    assert said.cells == [cache.full_cells, cache.sliding_cells]
    assert said.cache == cache.full + cache.sliding
    assert said.compute == compute_buffer(shape, cache, settings)
    # The log rounds to a hundredth of a MiB.
    assert said.pools_mib == [pytest.approx(size / MIB, abs=0.0051) for size in (cache.full, cache.sliding)]
    assert said.output_mib == output_buffer(shape, question.sequences) / MIB
