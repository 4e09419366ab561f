"""KV cache and compute buffer against llama.cpp's own dry run, all five variants."""

from __future__ import annotations

from pathlib import Path

import pytest
from oracles.dry_run import ask
from oracles.header_only import write_header_only

from edgekit.catalog.load import variants
from edgekit.fit.buffers import compute_buffer
from edgekit.fit.kv_cache import kv_cache
from edgekit.fit.settings import Settings

MIB = 1 << 20
VARIANTS = {variant.name: variant for variant in variants()}
# Context, ubatch, cache type, whole sliding pool.
SETTINGS = [
    (2048, 128, "F16", False),
    (8192, 512, "F16", False),
    (8192, 1120, "Q8_0", False),
    (131072, 512, "F16", False),
    (4096, 512, "F16", True),
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("header-only")
    for variant in VARIANTS.values():
        write_header_only(variant, "Q4_K_M", folder / variant.name)
    return {name: folder / name for name in VARIANTS}


@pytest.mark.parametrize(("context", "ubatch", "kind", "swa_full"), SETTINGS)
@pytest.mark.parametrize("name", VARIANTS)
def test_memory_is_what_llama_cpp_would_take(files, name, context, ubatch, kind, swa_full):
    said = ask(files[name], context, ubatch, 1, kind, swa_full)
    settings = Settings(
        context=context, batch=ubatch, ubatch=ubatch, cache_type_k=kind, cache_type_v=kind, swa_full=swa_full
    )
    cache = kv_cache(VARIANTS[name].shape, settings)
    assert said["cells"] == [cache.full_cells, cache.sliding_cells]
    # The log rounds to a hundredth of a MiB; so does this.
    assert said["kv"] == [pytest.approx(size / MIB, abs=0.0051) for size in (cache.full, cache.sliding)]
    (logged,) = said["compute"]
    computed = compute_buffer(VARIANTS[name], cache, settings) / MIB
    assert logged - 0.005 <= computed <= logged * 1.005
