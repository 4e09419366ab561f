"""The KV cache against published llama.cpp logs and against tables computed from its source."""

from __future__ import annotations

import pytest

from edgekit.catalog.load import variants
from edgekit.fit.kv_cache import kv_cache
from edgekit.fit.settings import Settings

MIB = 1 << 20
SHAPES = {variant.name: variant.shape for variant in variants()}

# Context, then MiB: sliding pool bounded with flash attention, full pool, llama-cpp-python's defaults, bounded at q8_0.
TOTALS = [
    ("E2B", 4096, 36, 72, 96, 19.1),
    ("E2B", 8192, 60, 144, 192, 31.9),
    ("E2B", 32768, 204, 576, 768, 108.4),
    ("E2B", 131072, 780, 2304, 3072, 414.4),
    ("E4B", 4096, 104, 224, 304, 55.2),
    ("E4B", 8192, 168, 448, 608, 89.2),
    ("E4B", 32768, 552, 1792, 2432, 293.2),
    ("E4B", 131072, 2088, 7168, 9728, 1109.2),
    ("12B", 4096, 544, 1344, 1440, 289),
    ("12B", 8192, 608, 2688, 2880, 323),
    ("12B", 32768, 992, 10752, 11520, 527),
    ("12B", 131072, 2528, 43008, 46080, 1343),
    ("26B-A4B", 4096, 380, 880, 920, 201.9),
    ("26B-A4B", 8192, 460, 1760, 1840, 244.4),
    ("26B-A4B", 32768, 940, 7040, 7360, 499.4),
    ("26B-A4B", 131072, 2860, 28160, 29440, 1519.4),
    ("31B", 4096, 1520, 3520, 3680, 807.5),
    ("31B", 8192, 1840, 7040, 7360, 977.5),
    ("31B", 32768, 3760, 28160, 29440, 1997.5),
    ("31B", 131072, 11440, 112640, 117760, 6077.5),
]


@pytest.mark.parametrize(("name", "context", "bounded", "full", "default", "q8"), TOTALS)
def test_totals(name, context, bounded, full, default, q8):
    def mib(**settings: object) -> float:
        cache = kv_cache(SHAPES[name], Settings(context=context, **settings))
        assert sum(cache.layers) == cache.full + cache.sliding
        return (cache.full + cache.sliding) / MIB

    assert mib() == bounded
    assert mib(swa_full=True) == full
    assert mib(swa_full=True, flash_attention=False) == default
    assert mib(cache_type_k="Q8_0", cache_type_v="Q8_0") == pytest.approx(q8, abs=0.051)


FULL = {"swa_full": True}
LOGS = [
    ("E2B", {"context": 2048, **FULL}, 12.00, 24.00, (2048, 2048)),
    ("E4B", {"context": 32768, **FULL}, 512.00, 1280.00, (32768, 32768)),
    ("E4B", {"context": 65536, "cache_type_k": "Q8_0", "cache_type_v": "Q8_0"}, 544.00, 21.25, (65536, 1024)),
    ("E4B", {"context": 4096, "flash_attention": False, **FULL}, 64.00, 240.00, (4096, 4096)),
    ("E4B", {"context": 4096, **FULL}, 64.00, 160.00, (4096, 4096)),
    ("E4B", {"context": 4096, "batch": 2048, "ubatch": 1024}, 64.00, 60.00, (4096, 1536)),
    ("E4B", {"context": 131072}, 2048.00, 40.00, (131072, 1024)),
    ("12B", {"context": 32768, **FULL}, 512.00, 10240.00, (32768, 32768)),
    ("26B-A4B", {"context": 262144, "cache_type_k": "Q8_0", "cache_type_v": "Q8_0"}, 2720.00, 159.38, (262144, 1536)),
    ("31B", {"context": 131072, "cache_type_k": "Q4_0", "cache_type_v": "Q4_0"}, 2880.00, 337.50, (131072, 1536)),
    ("31B", {"context": 120064, "cache_type_k": "Q5_0", "cache_type_v": "Q5_0"}, 3224.38, 412.50, (120064, 1536)),
    ("31B", {"context": 32768, "sequences": 4}, 2560.00, 3600.00, (32768, 4608)),
]


@pytest.mark.parametrize(("name", "settings", "full", "sliding", "cells"), LOGS)
def test_lines_of_published_logs(name, settings, full, sliding, cells):
    cache = kv_cache(SHAPES[name], Settings(**settings))
    # The logs round to two decimals.
    assert (cache.full_cells, cache.sliding_cells) == cells
    assert cache.full / MIB == pytest.approx(full, abs=0.0051)
    assert cache.sliding / MIB == pytest.approx(sliding, abs=0.006)


@pytest.mark.parametrize(("name", "sliding"), [("26B-A4B", 159.375), ("12B", 255.0), ("E4B", 21.25)])
def test_sliding_pools_of_a_published_catalogue(name, sliding):
    settings = Settings(context=8192, cache_type_k="Q8_0", cache_type_v="Q8_0")
    assert kv_cache(SHAPES[name], settings).sliding / MIB == sliding


def test_published_cache_of_26b_at_its_whole_context():
    # njannasch-dev-astro.pages.dev: 1.6 GB with both halves at q4_0.
    cache = kv_cache(SHAPES["26B-A4B"], Settings(context=262144, cache_type_k="Q4_0", cache_type_v="Q4_0"))
    assert (cache.full + cache.sliding) / 1e9 == pytest.approx(1.6, abs=0.05)


def test_published_size_of_a_remembered_place():
    # kyuz0/amd-strix-halo-toolboxes issue 89: 3600.054 MiB, the sliding pool of four sequences and its positions.
    settings = Settings(context=32768, sequences=4)
    assert kv_cache(SHAPES["31B"], settings).sliding / MIB == pytest.approx(3600.054, abs=0.06)


def test_separate_streams_share_the_context():
    cache = kv_cache(SHAPES["E2B"], Settings(context=8192, sequences=4, unified=False))
    assert cache.full_cells == 2048
    assert cache.full == kv_cache(SHAPES["E2B"], Settings(context=8192)).full
