"""Files on disk: their shape, types and memory by their own headers, against llama.cpp's dry run of the very file."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from oracles.dry_run import Question, ask
from oracles.foreign import write_llama
from oracles.header_only import write_header_only
from oracles.pico import f32_plan, q8_plan

from edgekit.catalog.load import variants
from edgekit.catalog.weights import weights
from edgekit.engine.check import check_model
from edgekit.engine.trial import Files, try_out
from edgekit.fit.buffers import compute_buffer, output_buffer
from edgekit.fit.estimate import estimate
from edgekit.fit.kv_cache import kv_cache
from edgekit.fit.plan import Plan
from edgekit.fit.recognized import file_load, recognized
from edgekit.fit.settings import Settings
from edgekit.gguf_header import read_header
from edgekit.hardware.machine import Processor

__all__ = ["f32_plan", "q8_plan"]

MIB = 1 << 20
VARIANTS = {variant.name: variant for variant in variants()}
# Rounding every tensor up to 32 bytes, as llama.cpp lays them out.
_PADDING = 32


def assert_as_llama_cpp_says(file: Path, context: int, ubatch: int, outputs: int, cache: str) -> None:
    load = file_load(read_header(file))
    assert load is not None
    (said,) = ask([Question(str(file), context, ubatch, outputs, cache)])
    settings = Settings(context, ubatch, ubatch, cache, cache, outputs=outputs)
    shape = load.variant.shape
    kept = kv_cache(shape, settings)
    assert (said.cache, said.compute) == (kept.full + kept.sliding, compute_buffer(shape, kept, settings))
    assert said.output_mib == pytest.approx(output_buffer(shape, 1) / MIB, abs=0.0051)
    parts = weights(shape, load.file)
    tensors = parts.token_embeddings + parts.per_layer_embeddings + parts.other + sum(parts.layers)
    # A dry run holds the output matrix a second time.
    beside = said.weights - parts.token_embeddings - tensors
    assert 0 <= beside <= _PADDING * len(load.file.tensor_types)


@pytest.mark.parametrize(("context", "ubatch", "outputs", "cache"), [(2048, 512, 1, "F16"), (300, 64, 64, "Q8_0")])
def test_the_bundled_model(f32_plan: Plan, q8_plan: Plan, context, ubatch, outputs, cache):
    for plan in (f32_plan, q8_plan):
        assert_as_llama_cpp_says(plan.model, context, ubatch, outputs, cache)


@pytest.mark.parametrize("quantization", ["Q4_K_M", "Q3_K_M", "IQ4_XS"])
@pytest.mark.parametrize("name", VARIANTS)
def test_a_file_of_every_variant(tmp_path, name, quantization):
    file = tmp_path / "model.gguf"
    write_header_only(VARIANTS[name], quantization, file)
    load = recognized(read_header(file))
    assert load is not None
    assert load.variant is VARIANTS[name]
    assert_as_llama_cpp_says(file, 4096, 512, 1, "F16")


def test_the_bundled_model_is_of_no_variant_and_brings_its_towers(q8_plan: Plan):
    header = read_header(q8_plan.model)
    assert recognized(header) is None
    assert q8_plan.projector
    load = file_load(header, read_header(q8_plan.projector))
    assert load is not None
    assert load.file.quantization == "Q8_0"
    assert load.modalities == ("text", "image", "video", "audio")
    lines = {line.what: line.bytes for line in estimate(load, Settings(), Processor("any", "x86_64", 1, 1)).lines}
    assert lines["projector"] == q8_plan.projector.stat().st_size
    file_pages = sum(lines[what] for what in ("weights", "token_embeddings", "per_layer_embeddings"))
    assert file_pages == q8_plan.model.stat().st_size


def test_layers_that_follow_no_simple_pattern_are_left_to_the_dry_run(tmp_path):
    file = tmp_path / "model.gguf"
    write_header_only(VARIANTS["E2B"], "Q4_0", file)
    with file.open("rb") as opened:
        data = bytearray(opened.read(1 << 20))
    key = b"gemma4.attention.sliding_window_pattern"
    # Name, type of value, type of item, count; the fifth layer, which sees the whole context, is made a sliding one.
    start = data.index(key) + len(key) + 4 + 4 + 8
    assert struct.unpack("<?", data[start + 4 : start + 5]) == (False,)
    data[start + 4] = 1
    with file.open("r+b") as opened:
        opened.write(data)
    assert file_load(read_header(file)) is None


def test_another_architecture_by_dry_run(tmp_path):
    file = tmp_path / "llama.gguf"
    write_llama(file)
    header = check_model(file)
    assert file_load(header) is None
    (said,) = ask([Question(str(file), 8192, 512, 1, "Q8_0")])
    asked = Settings(context=8192, outputs=1, cache_type_k="Q8_0", cache_type_v="Q8_0")
    found = try_out(Files(header), [asked])[asked]
    assert found.cache == pytest.approx(said.cache, abs=0.0051 * MIB)
    assert found.compute == pytest.approx(said.compute, abs=0.0051 * MIB)
    assert found.output / MIB == pytest.approx(said.output_mib, abs=1e-6)
