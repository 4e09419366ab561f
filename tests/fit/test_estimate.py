"""The lines of an estimate: where bytes live and what has to be resident."""

from __future__ import annotations

import pytest

from edgekit.catalog.load import variants
from edgekit.catalog.variant import ModelFile
from edgekit.catalog.weights import METADATA, weights
from edgekit.fit.buffers import accelerator_buffer, host_buffer
from edgekit.fit.estimate import Load, estimate
from edgekit.fit.kv_cache import kv_cache
from edgekit.fit.settings import Settings
from edgekit.hardware.machine import Processor

MIB = 1 << 20
VARIANTS = {variant.name: variant for variant in variants()}
PLAIN = Processor("plain", "x86_64", 4, 4)
AVX2 = Processor("avx2", "x86_64", 4, 4, ("avx2",))
WHAT = {
    "weights",
    "token_embeddings",
    "per_layer_embeddings",
    "repack",
    "kv_full",
    "kv_sliding",
    "compute",
    "output",
    "projector",
    "projector_compute",
    "drafter",
    "process",
}


def sizes(
    name: str, settings: Settings, processor: Processor = PLAIN, file: str = "Q4_K_M"
) -> dict[tuple[str, str], int]:
    lines = estimate(Load(VARIANTS[name], ModelFile(file, "")), settings, processor).lines
    assert len({(line.what, line.where) for line in lines}) == len(lines)
    assert all(line.what in WHAT and 0 < line.needed <= line.bytes for line in lines)
    return {(line.what, line.where): line.bytes for line in lines}


@pytest.mark.parametrize("name", VARIANTS)
def test_file_pages_are_the_file(name):
    variant = VARIANTS[name]
    for file in variant.files:
        lines = estimate(Load(variant, file), Settings(), PLAIN).lines
        assert sum(line.bytes for line in lines if line.where == "file") == weights(variant.shape, file).file


@pytest.mark.parametrize("name", VARIANTS)
def test_a_gpu_takes_the_layers_and_a_copy_of_the_output_matrix(name):
    variant = VARIANTS[name]
    parts = weights(variant.shape, ModelFile("Q4_K_M", ""))
    found = sizes(name, Settings(gpu_layers=variant.shape.num_hidden_layers + 1))
    assert found["weights", "gpu"] == sum(parts.layers)
    assert found["token_embeddings", "gpu"] == found["token_embeddings", "file"] == parts.token_embeddings
    assert ("kv_full", "host") not in found


def test_layers_and_their_cache_go_to_the_gpu_together():
    shape = VARIANTS["12B"].shape
    cache = kv_cache(shape, Settings())
    found = sizes("12B", Settings(gpu_layers=10))
    # The output matrix and the last 9 of 48 layers: two of them see the whole context.
    assert found["kv_full", "gpu"] == 2 * cache.full // 8
    assert found["kv_full", "host"] == 6 * cache.full // 8
    assert found["token_embeddings", "gpu"] == found["token_embeddings", "file"]
    only_output = sizes("12B", Settings(gpu_layers=1))
    assert ("kv_full", "gpu") not in only_output
    assert ("weights", "gpu") not in only_output


def test_published_split_of_e4b_with_41_layers_offloaded():
    # ggml-org/llama.cpp issue 22786: BF16 on an RTX 4070, model buffers of 8557 MiB on the GPU and 7063 on the host.
    found = sizes("E4B", Settings(gpu_layers=41), file="BF16")
    models = dict.fromkeys(("gpu", "file"), 0)
    for (what, where), size in found.items():
        if what in ("weights", "token_embeddings", "per_layer_embeddings"):
            models[where] += size
    assert models["gpu"] // MIB == 8557
    assert (models["file"] - METADATA) // MIB == 7063


def test_published_model_buffers_of_26b():
    # LostRuins/koboldcpp issue 2262: QAT UD-Q4_K_XL, 11524.27 MiB on the GPU and 2445.64 MiB on the host, the output
    # matrix on both.
    variant = VARIANTS["26B-A4B"]
    file = next(file for file in variant.files if file.quantization == "UD-Q4_K_XL")
    lines = estimate(Load(variant, file), Settings(gpu_layers=20), PLAIN).lines
    models = sum(line.bytes for line in lines if line.what in ("weights", "token_embeddings")) - METADATA
    assert models / MIB == pytest.approx(11524.27 + 2445.64, abs=0.03)


def test_published_split_of_e4b_on_a_gpu():
    # A log of E4B Q4_K_M on an RTX 4050, context 65536, KV q8_0: 2208 MiB on the host, 2883.51 MiB on the GPU;
    # compute buffers of 186.30 MiB there and 97.30 MiB on the host.
    variant = VARIANTS["E4B"]
    file = next(file for file in variant.files if file.quantization == "Q4_K_M")
    settings = Settings(context=65536, cache_type_k="Q8_0", cache_type_v="Q8_0", gpu_layers=43)
    lines = estimate(Load(variant, file), settings, PLAIN).lines
    tables = sum(line.bytes for line in lines if line.what.endswith("embeddings") and line.where == "file")
    on_gpu = sum(line.bytes for line in lines if line.what in ("weights", "token_embeddings") and line.where == "gpu")
    assert tables == 2208 * MIB
    assert on_gpu / MIB == pytest.approx(2883.5, rel=0.02)
    cache = kv_cache(variant.shape, settings)
    assert host_buffer(variant.shape, cache, settings) / MIB == pytest.approx(97.30, abs=0.0051)
    assert accelerator_buffer(variant.shape, cache, settings) / MIB == pytest.approx(186.30, abs=0.0051)


def test_repack_copies_what_the_processor_rearranges():
    # llama.cpp on a processor with AVX2 logs `CPU_REPACK model buffer size = 868.64 MiB` for E2B at Q4_K_M.
    found = sizes("E2B", Settings(repack=True), AVX2)
    assert found["repack", "host"] / MIB == pytest.approx(868.64, abs=0.0051)
    assert ("repack", "host") not in sizes("E2B", Settings(repack=False), AVX2)
    assert ("repack", "host") not in sizes("E2B", Settings(repack=True), PLAIN)
    assert ("repack", "host") not in sizes("E2B", Settings(repack=True), AVX2, "Q8_0")


def test_anonymous_memory_as_measured():
    # Measured, E2B Q4_K_M, context 4096, one output, no repack: 182 MiB at ubatch 512, 132 MiB at ubatch 128.
    for ubatch, measured in ((512, 182), (128, 132)):
        settings = Settings(context=4096, batch=ubatch, ubatch=ubatch)
        found = sizes("E2B", settings)
        known = sum(found[what, "host"] for what in ("kv_full", "kv_sliding", "compute", "output")) / MIB
        # The rest is the process that measured: its interpreter and llama.cpp's vocabulary.
        assert 0 < measured - known < 80


def test_rows_of_the_per_layer_table_are_needed_only_for_the_tokens_at_hand():
    variant = VARIANTS["E2B"]
    lines = {
        context: next(
            line
            for line in estimate(Load(variant, variant.files[0]), Settings(context=context), PLAIN).lines
            if line.what == "per_layer_embeddings"
        )
        for context in (2048, 8192)
    }
    assert lines[2048].needed * 4 == lines[8192].needed
    assert lines[8192].needed < lines[8192].bytes / 10


def test_a_projector_and_its_working_memory():
    variant = VARIANTS["E2B"]
    projector = variant.projectors[0]
    for modalities, expected in ((("text",), set()), (("text", "image"), {"projector_compute"})):
        load = Load(variant, variant.files[0], projector, modalities)
        what = {line.what for line in estimate(load, Settings(), PLAIN).lines}
        assert what & {"projector_compute"} == expected
        assert "projector" in what
