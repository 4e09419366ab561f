"""Sizes computed from shapes against real files and against llama.cpp's own quantizer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gguf
import pytest
from oracles.header_only import write_header_only
from oracles.quantizer import quantized_types

from edgekit.catalog.load import read_variant, variants
from edgekit.catalog.quantization import BASE_TYPES, BLOCKS
from edgekit.catalog.tensors import tensors, with_types
from edgekit.catalog.variant import ModelFile, Variant
from edgekit.catalog.weights import METADATA, weights
from edgekit.errors import FileError

GIB = 1 << 30
VARIANTS = {variant.name: variant for variant in variants()}

# Published GGUF files made by llama-quantize's own mixtures; the rounded ones are as their publishers wrote them.
REAL_FILES = [
    ("E2B", "Q8_0", 4.61 * GIB),
    ("E4B", "Q4_K_M", 5_335_289_824),
    ("12B", "Q4_0", 6.98e9),
    ("12B", "Q6_K", 9.79e9),
    ("12B", "Q8_0", 12.67e9),
    ("26B-A4B", "Q4_0", 14_439_361_440),
    ("26B-A4B", "Q4_K_M", 16.80e9),
    ("31B", "Q4_0", 16.43 * GIB),
    ("31B", "Q4_K_M", 18.7e9),
    ("31B", "Q8_0", 32.6e9),
]
# Mixtures of their publisher, of which only the size is known.
OWN_MIXTURES = {("26B-A4B", f"UD-{name}") for name in ("Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K")} | {("31B", "Q3_K_M")}
CATALOG = [(variant, file) for variant in VARIANTS.values() for file in variant.files if file.bytes]


@pytest.mark.parametrize(("name", "quantization", "real"), REAL_FILES)
def test_size_of_a_real_file_within_half_a_percent(name, quantization, real):
    assert weights(VARIANTS[name].shape, ModelFile(quantization, "")).file == pytest.approx(real, rel=0.005)


@pytest.mark.parametrize(
    ("variant", "file"),
    [(variant, file) for variant, file in CATALOG if (variant.name, file.quantization) not in OWN_MIXTURES],
    ids=lambda one: getattr(one, "name", None) or one.quantization,
)
def test_size_of_a_file_in_the_catalog_follows_from_its_types(variant, file):
    computed = weights(variant.shape, replace(file, bytes=None)).file
    # Bytes counted to the last one leave room for metadata only; sizes that somebody rounded for that.
    tolerance = 30_000 if file.bytes % 10_000 else 0.005 * file.bytes
    assert computed == pytest.approx(file.bytes, abs=tolerance)


@pytest.mark.parametrize(
    ("name", "billions", "count"),
    [
        ("E2B", 4.6475, 601),
        ("E4B", 7.5181, 720),
        ("12B", 11.9074, 667),
        ("26B-A4B", 25.2331, 658),
        ("31B", 30.6973, 833),
    ],
)
def test_parameters_and_tensors_as_llama_cpp_logs_them(name, billions, count):
    found = tensors(VARIANTS[name].shape)
    assert len(found) == count
    assert sum(tensor.count for tensor in found) / 1e9 == pytest.approx(billions, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "kind", "mib"),
    [("E2B", "Q8_0", 408), ("E2B", "Q6_K", 315), ("E4B", "Q6_K", 525), ("12B", "Q6_K", 787.5), ("31B", "Q8_0", 1428)],
)
def test_token_embeddings(name, kind, mib):
    assert weights(VARIANTS[name].shape, ModelFile(kind, "")).token_embeddings == mib * 2**20


@pytest.mark.parametrize(
    ("name", "kind", "mib"), [("E2B", "Q8_0", 2380), ("E2B", "Q6_K", 1837.5), ("E4B", "Q6_K", 2205)]
)
def test_per_layer_embeddings(name, kind, mib):
    assert weights(VARIANTS[name].shape, ModelFile(kind, "")).per_layer_embeddings == mib * 2**20


def test_parts_make_up_the_known_size_of_a_file():
    for variant in VARIANTS.values():
        for file in variant.files:
            parts = weights(variant.shape, file)
            named = parts.token_embeddings + parts.per_layer_embeddings + parts.other + sum(parts.layers)
            # Each layer is rounded to a whole byte.
            assert abs(parts.file - named - METADATA) <= len(parts.layers)
            assert file.bytes in (None, parts.file)
            assert parts.read_per_token < parts.file


def test_a_token_reads_active_experts_only():
    parts = weights(VARIANTS["26B-A4B"].shape, ModelFile("Q4_0", ""))
    # 3.8 billion active parameters as published, the tied output matrix read besides.
    assert parts.parameters_read / 1e9 == pytest.approx(3.8 - 0.74, abs=0.15)
    assert parts.read_per_token < 0.2 * parts.file


def test_unused_projections_of_shared_layers_are_not_read():
    parts = weights(VARIANTS["E2B"].shape, ModelFile("Q8_0", ""))
    assert sum(parts.layers_read) < sum(parts.layers)
    assert parts.layers_read[0] == parts.layers[0]


@pytest.fixture(scope="module")
def unquantized(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("unquantized")
    for variant in VARIANTS.values():
        write_header_only(variant, "BF16", folder / variant.name)
    return {name: folder / name for name in VARIANTS}


@pytest.mark.parametrize("has_importance", [False, True])
@pytest.mark.parametrize("quantization", [name for name in BASE_TYPES if name not in ("F32", "F16")])
@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS.keys())
def test_every_tensor_gets_the_type_that_llama_quantize_gives_it(unquantized, variant, quantization, has_importance):
    given = quantized_types(unquantized[variant.name], quantization, has_importance=has_importance)
    found = with_types(variant.shape, quantization, has_importance=has_importance)
    assert {tensor.name: kind for tensor, kind in found} == given


def test_blocks_are_ggmls():
    assert {kind: gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[kind]] for kind in BLOCKS} == BLOCKS


def test_a_broken_model_description_is_named(tmp_path):
    file = tmp_path / "half.toml"
    file.write_text('name = "half"\n', encoding="utf-8")
    with pytest.raises(FileError, match=r"half\.toml is no complete model description"):
        read_variant(file)


def test_variants_come_smallest_first():
    assert [variant.name for variant in variants()] == ["E2B", "E4B", "12B", "26B-A4B", "31B"]
    assert all(isinstance(variant, Variant) and variant.files and variant.projectors for variant in variants())
